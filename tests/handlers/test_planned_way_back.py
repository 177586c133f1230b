"""plan_release plans the fast way back: to the kept config, once nothing else changes the endpoint."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kedge.errors import EndpointBusyError
from kedge.release.way_back import Kept
from lambdas.adapters.state import champions, under_way
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.handlers.plan_release import handler
from tests.handlers.aws_world import CONTEXT, MODEL, ROLE, TABLE, aws_world
from tests.handlers.champions import promote
from tests.handlers.settle_world import EXECUTION, RETRAIN_ARN

TIME, NEW, KEPT = "2016-02-11T12:00:00Z", f"{MODEL}-v2-bbbb", f"{MODEL}-v1-aaaa"


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch, SERVING_ROLE_ARN=ROLE, KMS_KEY_ID="key") as world:
        world.serve()
        yield world


def serving(world, *, config: str = NEW) -> Kept:
    """Version 2 serves by its config, which is like that of version 1; return what is kept of version 1."""
    first = Kept(world.register(), "1", "1", KEPT, KEPT)
    before = world.sagemaker.describe_endpoint_config(EndpointConfigName=KEPT)
    world.sagemaker.create_endpoint_config(
        EndpointConfigName=NEW,
        ProductionVariants=before["ProductionVariants"],
        DataCaptureConfig=before["DataCaptureConfig"],
    )
    # moto has no UpdateEndpoint.
    world.sagemaker.delete_endpoint(EndpointName=world.config.endpoint.name)
    world.sagemaker.create_endpoint(EndpointName=world.config.endpoint.name, EndpointConfigName=config)
    champion = promote(world, package_arn=world.register(), endpoint_config=NEW)
    champions.save(world.dynamodb, TABLE, MODEL, replace(champion, package_version="2", earlier=(first,)))
    return first


def plan(kept: Kept, run: str = "back-1", **rollback: str) -> dict:
    back = {"from": "2", "to": "1", "by": "p", "reason": "r", "now": "true"} | rollback
    event = {
        "model": MODEL,
        "run": run,
        "time": TIME,
        "package_arn": kept.package_arn,
        "execution": EXECUTION,
        "request": {"rollback": back},
    }
    return json.loads(json.dumps(handler(event, CONTEXT)))


def test_all_traffic_goes_to_the_kept_config_at_once_and_no_alarm_sends_it_forward(world):
    answered = plan(serving(world))
    assert answered["verdict"] == "GO_BACK"
    assert answered["update"]["EndpointConfigName"] == KEPT
    deployment = answered["update"]["DeploymentConfig"]
    assert deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"
    assert "AutoRollbackConfiguration" not in deployment
    note = under_way.load(world.dynamodb, TABLE, MODEL)
    assert (note.kept.endpoint_config, note.previous_config) == (KEPT, NEW)
    assert world.item("lease")["holder"]["S"] == EXECUTION


def test_a_config_that_was_deleted_is_refused_in_a_sentence_and_nothing_is_noted(world):
    kept = serving(world)
    world.sagemaker.delete_endpoint_config(EndpointConfigName=KEPT)
    answered = plan(kept)
    assert answered["verdict"] == "REFUSED"
    assert f"its endpoint config {KEPT} was deleted" in answered["reasons"][0]
    assert under_way.load(world.dynamodb, TABLE, MODEL) is None


def test_another_champion_than_the_one_that_is_left_is_not_touched(world):
    answered = plan(serving(world), **{"from": "3"}, to="1x")
    assert answered["verdict"] == "REFUSED"
    assert "version 2 is the champion now, and it was to be version 3" in answered["reasons"][0]


def test_what_serves_already_needs_nothing(world):
    assert plan(serving(world, config=KEPT))["verdict"] == "ALREADY_SERVING"


def test_a_release_that_is_not_settled_yet_is_waited_for(world):
    kept = serving(world)
    other = ReleaseUnderWay("release-1", "arn", "2", NEW, KEPT, (), datetime.now(UTC) - timedelta(hours=1))
    under_way.save(world.dynamodb, TABLE, MODEL, other)
    with pytest.raises(EndpointBusyError, match="not settled after release-1"):
        plan(kept)


def test_its_own_update_whose_answer_was_lost_is_only_settled(world):
    kept = serving(world, config=KEPT)
    own = ReleaseUnderWay("back-1", kept.package_arn, "1", KEPT, NEW, (), datetime.now(UTC), kept=kept)
    under_way.save(world.dynamodb, TABLE, MODEL, own)
    assert plan(kept)["verdict"] == "GONE_BACK"


def test_a_retraining_keeps_its_lease(world):
    kept, holder = serving(world), RETRAIN_ARN
    item = {"holder": holder, "purpose": "retraining", "taken_at": datetime.now(UTC).isoformat()}
    world.dynamodb.put_item(
        TableName=TABLE,
        Item={"model": {"S": MODEL}, "item": {"S": "lease"}} | {name: {"S": value} for name, value in item.items()},
    )
    assert plan(kept)["verdict"] == "GO_BACK"
    assert world.item("lease")["holder"]["S"] == holder
