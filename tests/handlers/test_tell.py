"""tell writes the timeline and tells people, each once."""

import json
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from kedge.alerts.holding import Mute
from lambdas.adapters import clients
from lambdas.adapters.state import mutes
from lambdas.handlers.tell import handler
from tests.handlers.aws_world import CONTEXT, ROLE, TABLE, moto_backend
from tests.handlers.monitor_world import MODEL, load_event, monitor_world


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        yield world


def train(run: str) -> None:
    """A training job of the run that was paid for."""
    clients.sagemaker().create_training_job(
        TrainingJobName=f"{run}-0",
        AlgorithmSpecification={"TrainingImage": "i", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://b/o"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )
    # moto bills a random number of seconds.
    moto_backend("sagemaker").training_jobs[f"{run}-0"].billable_time_in_seconds = 1800


def test_a_retraining_that_failed_says_what_it_has_cost_and_a_release_does_not(world):
    event = load_event("tell_failed")
    train(event["detail"]["run"])
    handler(event, CONTEXT)
    handler(event | {"detail": event["detail"] | {"machine": "kedge-release", "error": "x"}}, CONTEXT)
    retraining, release = (body for _, body in world.mails())
    assert "WHAT THE RETRAINING COST" in retraining
    assert "60 instance minutes of ml.m5.xlarge" in retraining
    assert "USD" in retraining
    assert "COST" not in release


def test_a_failure_is_told_where_jobs_may_not_be_looked_at(world):
    with Stubber(clients.sagemaker()) as stub:
        stub.add_client_error("list_training_jobs", "AccessDeniedException")
        handler(load_event("tell_failed"), CONTEXT)
    assert "the container exited with 1" in world.mails()[0][1]


def test_a_failure_is_in_the_timeline_the_mail_and_the_event(world):
    event = load_event("tell_failed")
    assert handler(event, CONTEXT) == {"kind": "failed", "time": "2016-01-04T03:10:00Z"}
    (entry,) = world.timeline()
    detail = event["detail"] | {"cost": ""}
    assert entry == {"time": "2016-01-04T03:10:00Z", "model": MODEL, "kind": "failed", "detail": detail}
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: the retraining failed at TrainChallenger"
    assert "the container exited with 1" in body
    (published,) = world.received("programs")
    incident = {"episode": f"{MODEL}/run/{event['detail']['run']}", "resolved": False}
    assert json.loads(published["Message"]) == entry | {"severity": "CRITICAL", "team": None} | incident
    assert published["MessageAttributes"]["kind"]["Value"] == "failed"


def test_a_step_that_went_well_is_in_the_timeline_only(world):
    handler(load_event("tell_failed") | {"kind": "training_completed", "detail": {"run": "r"}}, CONTEXT)
    assert world.kinds() == ["training_completed"]
    assert world.mails() == []


def test_what_the_deciding_step_entered_is_told_but_not_entered_again(world):
    handler(load_event("tell_failed") | {"kind": "gate_failed", "detail": {"run": "r", "reasons": []}}, CONTEXT)
    assert world.kinds() == []
    assert len(world.mails()) == 1


def test_that_a_release_found_its_package_serving_is_entered_and_told(world):
    handler(load_event("tell_failed") | {"kind": "approved", "detail": {"run": "r", "reasons": []}}, CONTEXT)
    assert world.kinds() == ["approved"]
    assert len(world.mails()) == 1


def test_the_same_event_twice_is_one_entry(world):
    handler(load_event("tell_failed"), CONTEXT)
    handler(load_event("tell_failed"), CONTEXT)
    assert len(world.timeline()) == 1


def test_a_failure_that_was_told_is_remembered_for_the_end_of_its_execution(world):
    event = load_event("tell_failed")
    handler(event, CONTEXT)
    assert world.item(f"told#failed#{event['detail']['run']}") is not None


def test_a_persons_act_reaches_programs_at_once_mute_or_not_and_is_neither_mailed_nor_entered_again(world):
    until = datetime(2016, 1, 10, tzinfo=UTC)
    mutes.save(clients.dynamodb(), TABLE, MODEL, Mute(until, "known", "ann"))
    detail = {"by": "ann", "reason": "known", "until": "2016-01-10T00:00:00Z"}
    handler(load_event("tell_failed") | {"kind": "muted", "detail": detail, "acted": True}, CONTEXT)
    (published,) = world.received("programs")
    assert json.loads(published["Message"])["kind"] == "muted"
    assert (world.mails(), world.timeline()) == ([], [])
