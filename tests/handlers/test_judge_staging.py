"""judge_staging puts the rows of a trial into the gate's table, keeps it, and says what was paid."""

import json

import pytest

from kedge.config.staging import Staging
from kedge.staging.record import TrialRecord
from lambdas.handlers.judge_staging import handler
from tests.handlers.aws_world import CONTEXT, MODEL, aws_world
from tests.handlers.holdouts import PREFIX, RUN

TIME = "2016-02-11T02:30:00Z"
GATE = {"gate": "auc_improvement", "limit": 0.01, "value": 0.03, "verdict": "PASS", "reason": "auc is higher"}
MEASURED = TrialRecord(
    done=True, compared=300, milliseconds=(10.0,) * 200, load="as captured", since="2016-02-11T02:00:00Z"
)
NOTHING_FAILED = {"state": "", "Error": "", "Cause": ""}


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        world.put(f"{PREFIX}/gate.json", json.dumps({"verdict": "PASS", "reasons": [], "rows": [GATE]}).encode())
        yield world


def judge(world, found=MEASURED, *, failure=NOTHING_FAILED, **policy):
    if found is not None:
        world.put(f"{PREFIX}/staging.json", json.dumps(found.to_json()).encode())
    staging = {
        "name": f"{RUN}-staging-0",
        "policy": Staging(**policy).model_dump(mode="json"),
        "instances": 2,
        "variant": {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1},
    }
    event = {"model": MODEL, "run": RUN, "time": TIME, "staging": staging, "failure": failure}
    return handler(event | {"champion": {"present": True, "package_version": "1"}}, CONTEXT)


def test_the_rows_of_the_trial_follow_those_of_the_gate_in_the_one_table(world):
    answered = judge(world)
    assert answered["verdict"] == "PASS"
    assert [row["gate"] for row in answered["rows"]][:2] == ["auc_improvement", "staging_p50_ms"]
    kept = json.loads(world.read(answered["report_key"]))
    assert kept["rows"] == answered["rows"]
    assert "staging_p95_ms" in world.read(f"{PREFIX}/gate.html").decode()
    (entry,) = world.timeline()
    assert (entry["kind"], entry["detail"]["rows"]) == ("gate_passed", answered["rows"])


def test_a_second_judgement_replaces_the_rows_of_the_first(world):
    first = judge(world)
    assert judge(world)["rows"] == first["rows"]


def test_a_trial_that_is_too_slow_refuses_what_the_gate_had_passed(world):
    answered = judge(world, p95_milliseconds=5)
    assert answered["verdict"] == "REFUSE"
    assert answered["reasons"][0].startswith("the 95th percentile of the latency on staging is 10 ms")
    assert world.timeline()[0]["kind"] == "gate_failed"
    assert json.loads(world.read(f"{PREFIX}/gate.json"))["verdict"] == "REFUSE"


def test_the_endpoints_instance_is_a_part_of_the_cost_and_kept_for_the_budget(world):
    answered = judge(world)
    assert answered["paid"] == {"ml.m5.large": 1800.0}
    assert answered["cost"].startswith("30 instance minutes of ml.m5.large cost about 0.06 USD")
    assert json.loads(world.read(f"{PREFIX}/staging.json"))["paid"] == answered["paid"]


@pytest.mark.parametrize(("policy", "verdict"), [({}, "PASS"), ({"not_measured": "REFUSE"}, "REFUSE")])
def test_a_trial_that_failed_says_so_with_the_reason_and_decides_as_the_yaml_wants(world, policy, verdict):
    failure = {
        "state": "CreateStaging",
        "Error": "SageMaker.ResourceLimitExceededException",
        "Cause": "The account-level service limit 'ml.m5.large for endpoint usage' is 0 Instances (Service: SageMaker)",
    }
    answered = judge(world, None, failure=failure, **policy)
    assert answered["verdict"] == verdict
    row = answered["rows"][-1]
    assert (row["gate"], row["verdict"]) == ("staging", policy.get("not_measured", "WARN"))
    assert "CreateStaging failed: The account-level service limit 'ml.m5.large for endpoint usage'" in row["reason"]
    assert answered["paid"] == {}


def test_what_was_measured_before_something_failed_counts(world):
    failure = {"state": "DeleteStaging", "Error": "E", "Cause": "c"}
    assert judge(world, failure=failure)["rows"][-1]["gate"] == "staging_skew"


def test_half_a_replay_is_not_measured(world):
    found = TrialRecord(milliseconds=(10.0,) * 50, wanted=200, load="as captured", compared=300)
    assert judge(world, found)["rows"][-1]["gate"] == "staging"
