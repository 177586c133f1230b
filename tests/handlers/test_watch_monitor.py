"""watch_monitor puts a gauge for what is no longer judged, and one for what is invoked but not captured."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kedge.config.capture_place import adopted_version
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.state import champions, windows
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers.watch_monitor import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.monitor_world import MODEL, TABLE, load_event, monitor_world

NOW = datetime(2016, 1, 4, 2, 50, tzinfo=UTC)
PREFIX = f"capture/{MODEL}/1/{MODEL}/AllTraffic"


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


def run() -> dict:
    return handler(load_event("schedule_watch_hourly"), CONTEXT)[MODEL]


def judged_until(world, end: datetime) -> None:
    verdict = WindowVerdict(end - timedelta(days=28), end, Severity.OK, None)
    windows.save_window(world.dynamodb, TABLE, MODEL, StoredWindow(verdict, "1", "d", 1, 0))


def invoked(world, time: datetime, requests: int, metric: str = "Invocations") -> None:
    dimensions = [{"Name": "EndpointName", "Value": MODEL}, {"Name": "VariantName", "Value": "AllTraffic"}]
    datum = {"MetricName": metric, "Dimensions": dimensions, "Timestamp": time, "Value": requests}
    world.cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])


def test_a_model_that_is_judged_is_less_than_two_cadences_old(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    assert 1 < run()["JudgementAgeCadences"] < 2


def test_a_model_that_nobody_judges_grows_old(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    assert run()["JudgementAgeCadences"] > 3
    assert world.gauge("JudgementAgeCadences")[0] > 3


def test_a_new_champion_is_as_old_as_its_promotion(world):
    world.promote(NOW - timedelta(hours=3.5))
    assert run()["JudgementAgeCadences"] == pytest.approx(3.5 / 24 / 7)


def test_an_adopted_model_is_as_old_as_its_adoption_though_its_captures_began_months_before(world):
    champion = champions.load(world.dynamodb, TABLE, MODEL)
    version = adopted_version(NOW - timedelta(hours=3))
    champions.save(world.dynamodb, TABLE, MODEL, replace(champion, package_version=version))
    assert champion.promoted_at < NOW - timedelta(days=90)
    assert run()["JudgementAgeCadences"] == pytest.approx(3 / 24 / 7)


def test_requests_without_any_capture_are_counted(world):
    invoked(world, NOW - timedelta(hours=3), 40)
    assert run()["InvocationsWithoutCapture"] == 40
    assert world.gauge("InvocationsWithoutCapture") == [40]


@pytest.mark.parametrize("metric", ["Invocation4XXErrors", "Invocation5XXErrors"])
def test_a_failed_request_of_a_quiet_hour_is_no_missing_capture(world, metric):
    invoked(world, NOW - timedelta(hours=3), 1)
    invoked(world, NOW - timedelta(hours=3), 1, metric)
    assert run()["InvocationsWithoutCapture"] == 0


def test_captured_requests_are_no_reason_for_alarm(world):
    invoked(world, NOW - timedelta(hours=3), 40)
    world.put(f"{PREFIX}/2016/01/03/23/a.jsonl", b"{}")
    assert run()["InvocationsWithoutCapture"] == 0


def test_a_capture_of_long_ago_does_not_excuse_todays(world):
    invoked(world, NOW - timedelta(hours=3), 40)
    world.put(f"{PREFIX}/2016/01/03/09/a.jsonl", b"{}")
    assert run()["InvocationsWithoutCapture"] == 40


def test_the_last_hour_may_still_be_on_its_way(world):
    invoked(world, NOW - timedelta(minutes=20), 40)
    assert run()["InvocationsWithoutCapture"] == 0


def test_an_endpoint_that_nobody_calls_needs_no_capture(world):
    assert run()["InvocationsWithoutCapture"] == 0


def test_a_model_that_is_not_deployed_has_no_gauges(world):
    world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "champion"}})
    assert handler(load_event("schedule_watch_hourly"), CONTEXT) == {}


def test_the_worst_of_the_models_in_the_bucket_and_the_broken_definitions_have_gauges_of_their_own(world):
    yaml = "{model: %s, mode: watch, endpoint: {name: %s}, features: [{name: x, kind: numeric}]}"
    champion = world.item("champion")
    for name, days in (("old", 30), ("young", 1)):
        world.put(f"models/{name}.yaml", (yaml % (name, name)).encode())
        promoted = {"S": (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")}
        item = champion | {"model": {"S": name}, "promoted_at": promoted}
        world.dynamodb.put_item(TableName=TABLE, Item=item)
    # One without an endpoint has no gauge of its requests, whichever model is looked at first.
    world.put("models/logged.yaml", b"{model: logged, mode: watch, source: log, features: [{name: x, kind: numeric}]}")
    world.dynamodb.put_item(TableName=TABLE, Item=item | {"model": {"S": "logged"}})
    world.put("models/broken.yaml", b"model: broken")
    found = handler(load_event("schedule_watch_hourly"), CONTEXT)
    assert set(found) == {MODEL, "logged", "old", "young"}
    assert set(found["logged"]) == {"JudgementAgeCadences"}
    assert len(world.gauge("InvocationsWithoutCapture", model="models/")) == 1
    assert world.gauge("JudgementAgeCadences", model="models/") == [found["old"]["JudgementAgeCadences"]]
    assert world.gauge("BrokenDefinitions", model="models/") == [1]
