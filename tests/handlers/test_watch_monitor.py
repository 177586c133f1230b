"""watch_monitor finds what is no longer judged, and what is invoked but not captured, and tells of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from kedge.alerts.holding import Mute
from kedge.config.capture_place import adopted_version
from kedge.instants import to_text
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import clients
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.layout import ringing_key
from lambdas.adapters.state import champions, mutes, windows
from lambdas.adapters.state.windows import StoredWindow
from lambdas.handlers.watch_monitor import handler
from tests.handlers.aws_world import BUCKET, CONTEXT
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


def invoked(world, time: datetime, requests: int, metric: str = "Invocations", endpoint: str = MODEL) -> None:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]
    datum = {"MetricName": metric, "Dimensions": dimensions, "Timestamp": time, "Value": requests}
    world.cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])


def test_a_model_that_is_judged_is_less_than_two_cadences_old(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    assert 1 < run()["JudgementAgeCadences"] < 2


def test_a_model_that_nobody_judges_grows_old(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    assert run()["JudgementAgeCadences"] > 3
    assert world.gauge("ModelsInAlarm", model="models/") == [1]


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
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    invoked(world, NOW - timedelta(hours=3), 40)
    assert run()["InvocationsWithoutCapture"] == 40
    assert [subject for subject, _ in world.mails()] == [f"[Kedge] {MODEL}: invoked, but nothing is captured"]


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


YAML = "{model: %s, mode: watch, endpoint: {name: %s}, features: [{name: x, kind: numeric}]%s}"


def serve_from_bucket(world, name, days, more="", yaml=YAML):
    """A model whose definition lies in the bucket, promoted some days ago and never judged."""
    world.put(f"models/{name}.yaml", (yaml % (name, name, more)).encode() if yaml is YAML else yaml.encode())
    promoted = {"S": (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    item = world.item("champion") | {"model": {"S": name}, "promoted_at": promoted}
    world.dynamodb.put_item(TableName=TABLE, Item=item)


def look(hours=0):
    return handler({"time": to_text(NOW + timedelta(hours=hours))}, CONTEXT)


def test_one_gauge_counts_the_models_that_ring_wherever_their_definition_lies(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    serve_from_bucket(world, "old", 30)
    serve_from_bucket(world, "young", 0.1)
    # One without an endpoint has no gauge of its requests, whichever model is looked at first.
    serve_from_bucket(
        world, "logged", 0.1, yaml="{model: logged, mode: watch, source: log, features: [{name: x, kind: numeric}]}"
    )
    world.put("models/broken.yaml", b"model: broken")
    found = look()
    assert set(found) == {MODEL, "logged", "old", "young"}
    assert set(found["logged"]) == {"JudgementAgeCadences"}
    assert world.gauge("ModelsInAlarm", model="models/") == [2]


def test_people_hear_of_a_model_by_its_name_once_and_again_when_it_is_over(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    look()
    ((subject, body),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: not judged for 2 cadences"
    assert f"The last judged window of {MODEL} is 3.0 cadences old." in body
    look(12)
    assert world.mails() == []
    judged_until(world, datetime(2016, 1, 4, tzinfo=UTC))
    look(24)
    ((subject, _),) = world.mails()
    assert subject == f"[Kedge] {MODEL}: is over: not judged for 2 cadences"
    look(36)
    assert world.mails() == []
    states = [event["detail"]["state"] for event in world.timeline() if event["kind"] == "alarm"]
    assert states == ["ALARM", "OK"]


def test_models_that_ring_together_are_one_message_by_way_and_stand_in_each_timeline(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    for name in ("a", "b", "c"):
        serve_from_bucket(world, name, 30)
    serve_from_bucket(world, "of-risk", 30, ", owner: {email: [risk@example.com]}")
    look()
    subjects = sorted(subject for subject, _ in world.mails())
    assert subjects == [
        "[Kedge] a: not judged for 2 cadences, with 2 more models",
        "[Kedge] of-risk: not judged for 2 cadences",
    ]
    assert all(timeline.load_timeline(world.s3, BUCKET, model) for model in ("a", "b", "c", "of-risk"))


def answered(world, hours, requests, failed, endpoint=MODEL):
    for number in range(requests):
        time = NOW.replace(minute=0) - timedelta(hours=hours)
        invoked(world, time, int(number < failed), "Invocation5XXErrors", endpoint)


@pytest.mark.parametrize(("failed", "rings"), [(0, False), (2, False), (3, True), (20, True)])
def test_an_endpoint_that_fails_is_told_of_and_single_failures_are_not(world, failed, rings):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    answered(world, 5, 20, failed)
    assert look()[MODEL]["ServerErrors"] == (failed / 20 if rings else 0)
    assert [subject for subject, _ in world.mails()] == ([f"[Kedge] {MODEL}: its endpoint fails"] if rings else [])


def test_failures_before_the_last_look_are_told_already_and_those_with_an_alarm_of_their_own_are_not_looked_at(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    answered(world, 13, 20, 20)
    assert look()[MODEL]["ServerErrors"] == 0
    serve_from_bucket(world, "alarmed", 0.1, ", health: {server_error_fraction: 0.1}")
    assert "ServerErrors" not in look()["alarmed"]


def test_a_model_that_is_not_hourly_sends_its_gauges_twice_a_day_though_the_monitor_is_watched_hourly(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    for name, cadence in (("daily", "daily"), ("hourly", "hourly")):
        serve_from_bucket(world, name, 0.1, f", metrics: all, cadence: {{profile: {cadence}}}")
    for hours in range(-2, 2):
        look(hours)
    sent = {name: len(world.gauge("JudgementAgeCadences", model=name)) for name in ("daily", "hourly", MODEL)}
    assert sent == {"daily": 1, "hourly": 4, MODEL: 0}


def test_a_broken_definition_is_told_by_its_models_name(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    world.put("models/broken.yaml", b"model: broken")
    look()
    ((subject, _),) = world.mails()
    assert subject == "[Kedge] broken: its definition in the data bucket cannot be followed"


def test_a_muted_model_is_told_of_at_the_first_look_after_its_mute(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    mutes.save(world.dynamodb, TABLE, MODEL, Mute(NOW + timedelta(hours=6), "the campaign", "ann"))
    look()
    assert world.mails() == []
    assert world.gauge("ModelsInAlarm", model="models/") == [1]
    look(12)
    assert [subject for subject, _ in world.mails()] == [f"[Kedge] {MODEL}: not judged for 2 cadences"]


def test_a_look_that_is_made_twice_tells_once(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    look()
    # What it keeps for the next look was lost with its function.
    world.s3.delete_object(Bucket=BUCKET, Key=ringing_key())
    look()
    assert len(world.mails()) == 1


def test_a_model_that_recovers_and_breaks_again_is_told_of_while_others_still_ring(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    serve_from_bucket(world, "a", 30)
    look()
    judged_until(world, datetime(2016, 1, 4, tzinfo=UTC))
    look(12)
    assert [subject for subject, _ in world.mails()] == [
        "[Kedge] a: not judged for 2 cadences, with hotel-cancellations"
    ]
    look(24 * 30)
    assert [subject for subject, _ in world.mails()] == [f"[Kedge] {MODEL}: not judged for 2 cadences"]


def test_the_end_is_told_to_the_people_of_the_models_that_are_left(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    serve_from_bucket(world, "a", 30)
    look()
    judged_until(world, datetime(2016, 1, 4, tzinfo=UTC))
    world.s3.delete_object(Bucket=BUCKET, Key="models/a.yaml")
    world.mails()
    look(12)
    assert [subject for subject, _ in world.mails()] == [f"[Kedge] {MODEL}: is over: not judged for 2 cadences, with a"]


def test_a_definition_that_breaks_ends_nothing_that_its_model_rang_for(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    serve_from_bucket(world, "a", 30)
    look()
    world.put("models/a.yaml", b"model: a")
    world.mails()
    look(12)
    assert [subject for subject, _ in world.mails()] == [
        "[Kedge] a: its definition in the data bucket cannot be followed"
    ]


def test_the_end_is_not_told_in_the_name_of_a_model_that_rings_again(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    serve_from_bucket(world, "a", 30)
    look()
    # `a` stops and rings again while the other lasts, which then stops.
    serve_from_bucket(world, "a", 0.1)
    look(12)
    serve_from_bucket(world, "a", 30)
    look(24)
    judged_until(world, NOW + timedelta(days=1))
    world.mails()
    look(24 + 12)
    ((subject, body),) = world.mails()
    assert subject.startswith(f"[Kedge] {MODEL}: is over")
    assert "WHICH MODELS" not in body


def test_what_was_told_is_kept_where_a_later_message_cannot_be(world):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    serve_from_bucket(world, "payments", 30, ", owner: {runbook: 'https://x.example.com'}")
    told = set[str]()

    def throttled_at_the_second(model, params, **_):
        item = params["body"].decode() if isinstance(params["body"], bytes) else params["body"]
        told.add("payments" if "payments" in item else MODEL)
        if len(told) > 1:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "PutItem")

    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb.PutItem", throttled_at_the_second)
    with pytest.raises(ClientError):
        look()
    events.unregister("before-call.dynamodb.PutItem", throttled_at_the_second)
    look(12)
    assert sorted(subject for subject, _ in world.mails()) == [
        f"[Kedge] {model}: not judged for 2 cadences" for model in (MODEL, "payments")
    ]


def test_a_definition_under_a_name_that_no_model_can_have_is_told(world):
    judged_until(world, datetime(2016, 1, 4, tzinfo=UTC))
    world.put("models/churn_v2.yaml", b"{model: churn-v2, mode: watch}")
    look()
    assert [subject for subject, _ in world.mails()] == [
        "[Kedge] churn_v2: its definition in the data bucket cannot be followed"
    ]


@pytest.mark.parametrize("kept", [b"{", b'{"bundles": [{"cause": "JudgementAgeCadences"}]}', b'{"version": 9}', b"[1]"])
def test_where_the_last_look_cannot_be_read_all_that_rings_is_told_again(world, kept):
    judged_until(world, datetime(2015, 12, 14, tzinfo=UTC))
    world.put(ringing_key(), kept)
    look()
    assert [subject for subject, _ in world.mails()] == [f"[Kedge] {MODEL}: not judged for 2 cadences"]


def test_failures_of_an_hourly_model_of_the_bucket_are_seen_though_the_watch_is_not_hourly(world):
    judged_until(world, datetime(2015, 12, 28, tzinfo=UTC))
    serve_from_bucket(world, "hourly", 0.1, ", cadence: {profile: hourly}")
    answered(world, 5, 20, 20, endpoint="hourly")
    assert look()["hourly"]["ServerErrors"] == 1


@pytest.mark.parametrize(("name", "shown"), [("", ".yaml"), ("a" * 1000, "a" * 100)])
def test_a_definition_with_any_name_that_s3_takes_is_told_and_ends_no_look(world, name, shown):
    world.put(f"models/{name}.yaml", b"model: churn")
    handler(load_event("schedule_watch_hourly"), CONTEXT)
    (entry,) = [json.loads(world.read(key)) for key in world.keys(f"audit/{shown}/")]
    assert (entry["model"], entry["detail"]["alarm"]) == (shown, "BrokenDefinitions")
