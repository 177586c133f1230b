"""Only what settles may tell MLflow, and only the server or app that a managed model names."""

import pytest

from tests.stacks.test_gate_grants import policies

PLACE = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-"
RUNS = ["SearchExperiments", "CreateExperiment", "SearchRuns", "CreateRun", "LogBatch", "UpdateRun"]


@pytest.mark.parametrize(
    ("arn", "sid", "actions"),
    [
        (f"{PLACE}tracking-server/team", "TellTrackingServers", [f"sagemaker-mlflow:{name}" for name in RUNS]),
        (f"{PLACE}app/app-0123", "TellApps", "sagemaker:CallMlflowAppApi"),
    ],
    ids=["server", "app"],
)
def test_the_named_one_and_no_other(tmp_path, arn, sid, actions):
    found = policies(tmp_path, f"training: {{mlflow_arn: {arn!r}}}\n", "KedgeRelease")
    statement = found["Settle", sid]
    assert (statement["Action"], statement["Resource"]) == (actions, arn)
    assert [key for key, each in found.items() if "flow" in str(each["Action"])] == [("Settle", sid)]
