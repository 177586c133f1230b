"""switch_baseline names the new champion, remembers the one before, and is harmless when run again."""

import pytest

from lambdas.adapters import champions
from lambdas.handlers.switch_baseline import handler
from tests.handlers.aws_world import CONTEXT, MODEL, TABLE, aws_world
from tests.handlers.champions import promote

PROPERTIES = {"kedge:training_end": "2016-02-01T00:00:00Z", "kedge:staged": "retraining/r/baseline"}
NEW = f"{MODEL}-v1-bbbb"


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def run(arn: str, *, previous: str | None = f"{MODEL}-v1-aaaa", time: str = "2016-02-11T14:00:00Z") -> dict:
    event = {
        "model": MODEL, "run": "release-1", "time": time, "package_arn": arn, "endpoint_config": NEW,
        "previous_config": previous
    }  # fmt: skip
    return handler(event, CONTEXT)


def test_the_champion_is_the_promoted_package(world):
    before, arn = promote(world), world.register(properties=PROPERTIES)
    run(arn)
    champion = champions.load(world.dynamodb, TABLE, MODEL)
    assert (champion.package_arn, champion.baseline, champion.endpoint_config) == (arn, "1", NEW)
    assert f"{champion.promoted_at:%Y-%m-%dT%H}" == "2016-02-11T14"
    assert f"{champion.training_end:%Y-%m-%d}" == "2016-02-01"
    assert champion.previous_package_arn == before.package_arn


def test_promotion_and_switch_are_in_the_timeline(world):
    promote(world)
    run(world.register(properties=PROPERTIES))
    assert [entry["kind"] for entry in world.timeline()] == ["baseline_switched", "canary_promoted"]


def test_a_first_endpoint_had_no_canary(world):
    run(world.register(properties=PROPERTIES), previous=None)
    assert [entry["kind"] for entry in world.timeline()] == ["baseline_switched"]
    assert champions.load(world.dynamodb, TABLE, MODEL).previous_package_arn is None


def test_a_rerun_changes_nothing(world):
    before, arn = promote(world), world.register(properties=PROPERTIES)
    run(arn)
    first, entries = champions.load(world.dynamodb, TABLE, MODEL), world.timeline()
    run(arn, time="2016-02-11T15:00:00Z")
    assert champions.load(world.dynamodb, TABLE, MODEL) == first
    assert first.previous_package_arn == before.package_arn
    assert len(entries) == len(world.timeline())
