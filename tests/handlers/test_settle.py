"""settle brings endpoint, champion item, alarms, lease and messages in line, whoever was interrupted where."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from kedge.alerts.holding import Mute
from kedge.errors import MessagesUntoldError
from kedge.instants import to_text
from kedge.retraining.state import RetrainingStart
from kedge.staging.record import TrialRecord
from lambdas.adapters import clients
from lambdas.adapters.state import champions, mutes, windows
from lambdas.handlers import settle
from lambdas.handlers.settle import handler
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, TABLE
from tests.handlers.settle_world import (
    EXECUTION,
    NEW,
    NOON,
    NOW,
    OLD,
    RUN,
    alarms,
    answered_requests,
    champion,
    ended,
    held_by,
    hourly,
    left,
    promote,
    released,
    settle_world,
    start_execution,
    watched,
)


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        yield world


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_an_execution_that_ended_without_a_word_is_told_once_and_its_release_settled(world, status):
    promote(world)
    arn = released(world)
    world.serve(NEW)
    answered_requests(50)
    watched(world, "HEALTHY")
    for _ in range(2):
        hourly(detail=ended(status))
    assert (champion(world).package_arn, alarms(world), left(world)) == (arn, [], [])
    assert sorted(world.kinds()) == ["baseline_switched", "canary_promoted", "failed"]
    assert len(world.mails()) == 2


def test_a_failure_that_the_machine_told_is_not_told_again(world):
    promote(world)
    world.serve(OLD)
    world.dynamodb.put_item(TableName=TABLE, Item={"model": {"S": MODEL}, "item": {"S": f"told#failed#{RUN}"}})
    hourly(detail=ended("FAILED"))
    assert world.mails() == []


def test_an_execution_that_went_well_is_no_news(world):
    promote(world)
    world.serve(OLD)
    hourly(detail=ended("SUCCEEDED"))
    assert world.mails() == []


def test_a_model_that_a_machine_works_on_is_left_alone(world):
    promote(world)
    released(world)
    world.serve(NEW)
    holder = start_execution(world)
    held_by(world, holder)
    assert hourly() == {"verdict": "AT_WORK", "holder": holder, "told_again": 0}
    assert champion(world).endpoint_config == OLD


def test_a_lease_whose_holder_has_ended_is_given_back(world):
    promote(world)
    world.serve(OLD)
    item = {"holder": EXECUTION, "purpose": "release", "taken_at": to_text(NOW - timedelta(hours=1))}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "lease"}} | {name: {"S": value} for name, value in item.items()},
    )
    assert hourly(detail=ended("ABORTED"))["verdict"] == "agreed"
    assert left(world) == []


QUIET = ["dynamodb Query", "dynamodb Query", "s3 GetObject", "sagemaker DescribeEndpoint"]


@contextmanager
def calls() -> Iterator[list[str]]:
    """The AWS calls that the function makes."""
    made = []
    heard = [
        (client.meta.events, lambda model, **_: made.append(f"{model.service_model.service_name} {model.name}"))
        for client in (getattr(clients, name)() for name in ("dynamodb", "sagemaker", "cloudwatch", "s3", "sns", "sqs"))
    ]
    for events, hear in heard:
        events.register("provide-client-params", hear)
    try:
        yield made
    finally:
        for events, hear in heard:
            events.unregister("provide-client-params", hear)


def test_a_quiet_hour_costs_four_calls(world):
    promote(world)
    world.serve(OLD)
    assert hourly(time=to_text(NOON))["verdict"] == "agreed"
    champions.save(world.dynamodb, TABLE, MODEL, replace(champion(world), training_end=NOON))
    with calls() as made:
        for hours in range(1, 24):
            assert hourly(time=to_text(NOON + timedelta(hours=hours)))["verdict"] == "agreed"
    # What retrainings have left: scoring models, endpoints on trial and their configs.
    swept = ["sagemaker ListModels", "sagemaker ListEndpoints", "sagemaker ListEndpointConfigs"]
    once_a_day = [*swept, *["sagemaker ListModelPackages"] * 2, "dynamodb GetItem"]
    # The look at what slowly goes wrong: packages that wait, the champion, labels, retrainings.
    once_a_day += ["sagemaker ListModelPackages", "dynamodb GetItem", "s3 ListObjectsV2", "dynamodb Query"]
    # What the registry shows of the packages; moto knows no stages, so the champion's is shown again.
    once_a_day += ["dynamodb GetItem"] * 2
    once_a_day += [f"sagemaker {name}" for name in ("ListModelPackages", "DescribeModelPackage", "UpdateModelPackage")]
    assert sorted(made) == sorted([*QUIET * 23, *once_a_day])


def test_a_model_that_was_never_deployed_costs_no_more(world):
    with calls() as made:
        assert hourly(time=to_text(NOON))["verdict"] == "not deployed"
    assert sorted(made) == QUIET


def test_an_approval_that_waited_is_handed_to_start_release(world):
    promote(world)
    world.serve(OLD)
    item = {"package_arn": "arn:2", "package_version": "2", "decided_at": to_text(NOW)}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "waiting_release"}}
        | {name: {"S": value} for name, value in item.items()},
    )
    hourly()
    (message,) = world.received("approvals")
    assert message["detail"] == {"ModelPackageArn": "arn:2"}


def test_what_could_not_be_told_is_told_within_the_hour(world):
    promote(world)
    world.serve(OLD)
    event = {"time": to_text(NOW - timedelta(hours=1)), "model": MODEL, "kind": "rejected", "detail": {"serving": True}}
    key = {"model": {"S": MODEL}, "item": {"S": "untold#people#abc"}}
    item = key | {"event": {"S": json.dumps(event)}, "audience": {"S": "people"}}
    world.dynamodb.put_item(TableName=TABLE, Item=item)
    assert hourly()["told_again"] == 1
    assert len(world.mails()) == 1


@pytest.mark.parametrize(
    ("held", "is_muted", "mails"), [("", False, 1), ("quiet", False, 1), ("mute", False, 1), ("mute", True, 0)]
)
def test_what_could_not_be_told_of_a_model_that_was_taken_away_is_told_once_no_mute_lasts(world, held, is_muted, mails):
    event = {
        "time": to_text(NOW - timedelta(hours=1)),
        "model": "gone",
        "kind": "rejected",
        "detail": {"serving": True},
    }
    item = {"model": {"S": "gone"}, "item": {"S": "untold#people#abc"}, "event": {"S": json.dumps(event)}}
    item |= {"audience": {"S": "people"}, **({"held": {"S": held}} if held else {})}
    world.dynamodb.put_item(TableName=TABLE, Item=item)
    if held == "mute":
        mutes.save(
            world.dynamodb, TABLE, "gone", Mute(NOW + timedelta(hours=1) * (1 if is_muted else -1), "noise", "ann")
        )
    assert hourly(model="gone")["verdict"] == "UNKNOWN_MODEL"
    assert len(world.mails()) == mails
    assert (world.item("untold#people#abc", model="gone") is None) == (mails == 1)
    assert (world.item("mute", model="gone") is not None) == is_muted


def test_a_topic_that_refuses_for_good_is_an_error_that_alarms_after_everything_else_was_done(world, monkeypatch):
    promote(world)
    released(world)
    world.serve(OLD)
    watched(world, "MISBEHAVING")
    event = {"time": to_text(NOW - timedelta(hours=1)), "model": MODEL, "kind": "rejected", "detail": {"serving": True}}
    key = {"model": {"S": MODEL}, "item": {"S": "untold#people#abc"}}
    item = key | {"event": {"S": json.dumps(event)}, "audience": {"S": "people"}}
    world.dynamodb.put_item(TableName=TABLE, Item=item)

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AuthorizationError", "Message": "not allowed"}}, "Publish")

    monkeypatch.setattr(clients.sns(), "publish", refuse)
    with pytest.raises(MessagesUntoldError, match="could not be sent"):
        hourly()
    assert (alarms(world), left(world)) == ([], [])
    assert world.item("untold#people#abc") is not None


@pytest.mark.parametrize("given", ["[]", '"x"', '{"model": [1]}', "{}", "no JSON"])
def test_an_execution_that_a_person_started_with_something_else_is_left_to_the_next_hour(world, given):
    event = {"time": to_text(NOW), "detail": {"executionArn": EXECUTION, "status": "FAILED", "input": given}}
    assert handler({"Records": [{"body": json.dumps(event)}]}, CONTEXT) == {"verdict": "UNNAMED"}


def test_an_event_without_its_input_waits_for_the_next_hour(world):
    event = {"time": to_text(NOW), "detail": {"executionArn": EXECUTION, "status": "FAILED"}}
    assert handler({"Records": [{"body": json.dumps(event)}]}, CONTEXT) == {"verdict": "UNNAMED"}


@pytest.mark.parametrize(
    ("budget", "paid", "cost"),
    [
        (None, {}, 0.46),
        (5.0, {}, 0.46),
        (5.0, {"ml.m5.xlarge": 3600.0}, 0.69),
        (None, {"ml.x9.large": 3600.0}, None),
        (5.0, {"ml.x9.large": 3600.0}, 0.46),
    ],
)
def test_what_an_ended_retraining_cost_is_noted_as_far_as_its_price_is_known(world, monkeypatch, budget, paid, cost):
    run = f"{MODEL}-drift-1-0a1b2c3d"
    windows.save_start(world.dynamodb, TABLE, MODEL, run, RetrainingStart(NOW, "drift", "e"))
    policy = world.config.retraining.model_copy(update={"budget_usd_per_month": budget})
    config = world.config.model_copy(update={"retraining": policy})
    monkeypatch.setattr(settle, "find_model", lambda *_: config)
    monkeypatch.setattr(settle, "sweep_run", lambda _: None)
    monkeypatch.setattr(settle.run_leftovers, "instance_seconds", lambda *_: {"ml.m5.xlarge": 7200.0})
    if paid:
        trial = json.dumps(TrialRecord(paid=paid).to_json()).encode()
        world.s3.put_object(Bucket=BUCKET, Key=f"retraining/{MODEL}/{run}/staging.json", Body=trial)
    given = json.dumps({"model": MODEL, "run": run})
    arn = EXECUTION.replace("kedge-release", "kedge-retrain").replace(RUN, run)
    event = {"time": to_text(NOW), "detail": {"executionArn": arn, "status": "SUCCEEDED", "input": given}}
    handler({"Records": [{"body": json.dumps(event)}]}, CONTEXT)
    assert windows.load_starts(world.dynamodb, TABLE, MODEL)[run].cost_usd == cost
