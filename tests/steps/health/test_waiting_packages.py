"""A package that waits for a decision, and that nobody was told of, is told once."""

from dataclasses import replace

import pytest

from kedge.instants import to_text
from lambdas.adapters.release import approval_requests
from lambdas.adapters.state import champions
from lambdas.handlers import tell
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, TABLE
from tests.handlers.settle_world import (
    NOON,
    NOW,
    OLD,
    RETRAIN_ARN,
    RETRAINING,
    held_by,
    hourly,
    promote,
    settle_world,
    start_execution,
)


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        yield world


def waits(world, *, run: str = RETRAINING, kept: bool = True) -> str:
    """Register a package that waits for a decision, with what its retraining kept for the approver; return its ARN."""
    if kept:
        detail = {"run": run, "reasons": ["auc is 0.07 higher"], "trigger": {"reasons": ["quality has been lost"]}}
        approval_requests.save(world.s3, BUCKET, MODEL, run, detail)
    properties = {"kedge:run": run, **({"kedge:staged": "retraining/r/baseline"} if kept else {})}
    return world.register(status="PendingManualApproval", properties=properties)


@pytest.mark.parametrize("told", ["after a retraining", "once a day", "by a person"])
def test_a_package_that_waits_and_that_nobody_was_told_of_is_told_once(world, told):
    promote(world, training_end=NOON)  # an old baseline would be told too
    world.serve(OLD)
    arn = waits(world)
    assert hourly(time=to_text(NOON))["verdict"] == "agreed"
    assert world.mails() == []
    events = {
        "after a retraining": {"hourly": False, "detail": {"executionArn": RETRAIN_ARN, "status": "SUCCEEDED"}},
        "once a day": {"time": to_text(NOON.replace(hour=3))},
        "by a person": {"hourly": False},
    }
    for _ in range(2):
        hourly(**events[told])
    ((subject, body),) = world.mails()
    assert subject.endswith("please decide about package version 2")
    assert "auc is 0.07 higher" in body
    assert "quality has been lost" in body
    assert f"--model-package-arn {arn} " in body
    assert world.kinds() == ["package_registered"]


def test_a_package_that_its_machine_has_told_is_not_told_again(world):
    promote(world)
    world.serve(OLD)
    arn = waits(world)
    detail = {"run": RETRAINING, "package_arn": arn, "reasons": []}
    tell.handler({"model": MODEL, "kind": "package_registered", "time": to_text(NOW), "detail": detail}, CONTEXT)
    hourly(hourly=False)
    assert len(world.mails()) == 1


@pytest.mark.parametrize("what", ["older than the champion", "made by hand", "decided already"])
def test_a_package_that_nobody_needs_to_decide_about_is_not_told(world, what):
    arn = waits(world, kept=what != "made by hand")
    if what == "older than the champion":
        promote(world)
        world.serve(OLD)
    if what == "decided already":
        world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    hourly(hourly=False)
    assert world.mails() == []


@pytest.mark.parametrize("status", ["PendingManualApproval", "Approved"])
def test_the_newest_package_of_somebody_elses_is_handed_to_who_gates_it(world, status):
    promote(world, training_end=NOON)
    world.serve(OLD)
    for _ in range(2):
        arn = world.register(status=status, properties={})
    world.register(status=status)
    hourly(hourly=False)
    assert [body["detail"] for body in world.received("approvals")] == [{"ModelPackageArn": arn}]
    assert world.mails() == []


def test_what_was_registered_before_the_model_was_handed_over_is_history(world):
    world.register(properties={})
    champion = replace(promote(world, training_end=NOON), package_version="adopted-20260301-1200", promoted_at=NOON)
    champions.save(world.dynamodb, TABLE, MODEL, champion)
    world.serve(OLD)
    hourly(hourly=False)
    assert world.received("approvals") == []


def test_a_package_that_a_running_retraining_has_just_registered_is_left_to_it(world):
    waits(world)
    held_by(world, start_execution(world))
    assert hourly(hourly=False)["verdict"] == "AT_WORK"
    assert world.mails() == []
