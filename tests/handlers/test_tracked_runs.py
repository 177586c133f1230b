"""A retraining that has ended is a run of the MLflow that its YAML names; a server that fails stops nothing."""

import json
from datetime import timedelta

import boto3
import pytest

from kedge.instants import to_text
from lambdas.adapters.bucket import layout
from lambdas.adapters.state import windows
from lambdas.handlers import settle
from tests.handlers.aws_world import BUCKET, MODEL, ROLE, TABLE
from tests.handlers.mlflow_fake import APP, SERVER, mlflow_serving
from tests.handlers.settle_world import NOON, RETRAIN_ARN, RETRAINING, hourly, settle_world
from tests.handlers.test_start_release import DEFINITION

ROW = {
    "gate": "auc, 7 days",
    "verdict": "PASS",
    "reason": "AUC 0.72 -> 0.80",
    "metric": "auc",
    "champion": 0.72,
    "challenger": 0.8,
}
GATE = {"verdict": "PASS", "reasons": ["AUC 0.72 -> 0.80"], "rows": [ROW]}
JOB = {
    "hyperparameters": {"max_depth": "6", "note": "x" * 9000, **{f"p{number}": "1" for number in range(130)}},
    "metrics": {"validation:auc": 0.81},
    "image": "xgboost:3.2-0",
}
JOB |= {
    "instance_type": "ml.m5.xlarge",
    "instance_count": 1,
    "spot": False,
    "source_uri": "s3://b/s.tar.gz",
    "job_arn": "arn:j",
}
LINEAGE = {
    "trained_by": JOB,
    "artefact_uri": "s3://b/m.tar.gz",
    "artefact_sha256": "00",
    "data_manifest": "s3://b/manifest.json",
}
LINEAGE |= {
    "data_digest": "11",
    "source_commit": "",
    "champion": "3",
    "cost": "12 instance minutes of ml.m5.xlarge: 0.05 USD",
}


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    with mlflow_serving(tmp_path, monkeypatch) as mlflow:
        yield mlflow


@pytest.fixture(params=[SERVER, APP], ids=["server", "app"])
def world(request, monkeypatch, mlflow):
    with settle_world(monkeypatch) as world:
        training = world.config.training.model_copy(update={"mlflow_arn": request.param})
        config = world.config.model_copy(update={"training": training})
        monkeypatch.setattr(settle, "find_model", lambda *_: config)
        for name, document in ((layout.GATE, GATE), (layout.LINEAGE, LINEAGE), (layout.GATE_PAGE, "<p>gate</p>")):
            world.put(layout.retraining_key(MODEL, RETRAINING, name), json.dumps(document).encode())
        steps = boto3.client("stepfunctions")
        machine = steps.create_state_machine(name="kedge-retrain", definition=json.dumps(DEFINITION), roleArn=ROLE)
        steps.start_execution(stateMachineArn=machine["stateMachineArn"], name=RETRAINING)
        windows.save_start(
            world.dynamodb, TABLE, MODEL, RETRAINING, windows.RetrainingStart(NOON - timedelta(hours=4), "drift", "")
        )
        yield world


def ends(status="SUCCEEDED"):
    """The retraining has ended."""
    steps = boto3.client("stepfunctions")
    steps.stop_execution(executionArn=RETRAIN_ARN)
    return hourly(hourly=False, time=to_text(NOON), detail={"executionArn": RETRAIN_ARN, "status": status})


def test_parameters_figures_verdicts_and_reports_are_one_run_however_often_it_is_settled(world, mlflow):
    for _ in range(2):
        ends()
    assert list(mlflow.experiments) == [MODEL]
    (run,) = mlflow.runs.values()
    assert (run["run_name"], run["status"]) == (RETRAINING, "KILLED")
    assert run["params"]["max_depth"] == "6"
    # MLflow takes a hundred at once.
    assert run["params"]["p129"] == "1"
    assert run["params"]["kedge.instance_type"] == "ml.m5.xlarge"
    assert run["metrics"] == {"challenger.auc": 0.8, "champion.auc": 0.72, "training.validation_auc": 0.81}
    assert run["tags"]["gate"] == "PASS"
    assert run["tags"]["gate.auc_ 7 days"] == "PASS: AUC 0.72 -> 0.80"
    assert run["tags"]["kedge.cost"] == LINEAGE["cost"]
    assert run["tags"]["kedge.reports"] == f"s3://{BUCKET}/retraining/{MODEL}/{RETRAINING}/"
    assert {path.partition("/")[2] for path in mlflow.files} == {layout.GATE, layout.GATE_PAGE, layout.LINEAGE}
    assert mlflow.made.count("runs/create") == 1


def test_a_run_of_this_name_of_another_deployment_is_left_alone(world, mlflow):
    tags = {"kedge.run": RETRAINING, "kedge.reports": f"s3://other/retraining/{MODEL}/{RETRAINING}/"}
    theirs = {"experiment_id": "1", "run_name": RETRAINING, "tags": tags, "params": {"max_depth": "9"}, "metrics": {}}
    mlflow.experiments, mlflow.runs = {MODEL: "1"}, {"theirs": json.loads(json.dumps(theirs))}
    ends()
    assert mlflow.runs.pop("theirs") == theirs
    assert [run["params"]["max_depth"] for run in mlflow.runs.values()] == ["6"]


def test_a_server_that_signs_no_uploads_has_all_but_the_files(world, mlflow):
    mlflow.signs_uploads = False
    ends()
    (run,) = mlflow.runs.values()
    assert (run["status"], mlflow.files) == ("KILLED", {})
    assert "mlflow_failed" not in world.kinds()


def test_a_broken_server_is_told_once_and_tried_again_each_day_for_a_week(world, mlflow):
    mlflow.broken = True
    for day in range(2):
        ends()
        hourly(time=to_text(NOON.replace(hour=3) + timedelta(days=day + 1)))
    assert world.kinds().count("mlflow_failed") == 1
    (body,) = [body for subject, body in world.mails() if "MLflow" in subject]
    assert "status 503: upstream connect error" in body
    mlflow.broken = False
    hourly(time=to_text(NOON.replace(hour=3) + timedelta(days=3)))
    assert [run["run_name"] for run in mlflow.runs.values()] == [RETRAINING]


def test_after_a_week_nobody_tries_any_more(world, mlflow):
    boto3.client("stepfunctions").stop_execution(executionArn=RETRAIN_ARN)
    hourly(time=to_text(NOON.replace(hour=3) + timedelta(days=8)))
    assert mlflow.runs == {}


def test_a_retraining_that_runs_is_not_told(world, mlflow):
    hourly(time=to_text(NOON.replace(hour=3)))
    assert mlflow.runs == {}
