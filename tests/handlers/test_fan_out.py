"""fan_out sends one message per deployed model of a cadence, at the schedule's time."""

from datetime import UTC, datetime, timedelta

import pytest

from kedge.alerts.holding import Mute
from kedge.release.promise import Promise
from kedge.release.serving import Agreement
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import Catalogue
from lambdas.adapters.channels.channel import Topics
from lambdas.adapters.definitions import Definitions
from lambdas.adapters.models import names
from lambdas.adapters.state import agreements, approvals, capture_states, leases, mutes, promises, windows, wishes
from lambdas.adapters.state.approvals import Waiting
from lambdas.adapters.state.capture_states import CaptureState
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.state.windows import StoredWindow
from lambdas.adapters.state.wishes import HeldRetraining
from lambdas.handlers import fan_out
from lambdas.handlers.fan_out import handler
from tests.handlers.aws_world import BUCKET, CONTEXT
from tests.handlers.monitor_world import MODEL, TABLE, load_event, monitor_world
from tests.handlers.settle_world import released

NOW = datetime(2016, 1, 4, 12, 5, tzinfo=UTC)

END, WEEK = datetime(2016, 1, 4, tzinfo=UTC), timedelta(days=7)


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        judged_until(world, END - WEEK)
        yield world


def judged_until(world, last: datetime) -> None:
    for back in range(6):
        verdict = WindowVerdict(last - (back + 4) * WEEK, last - back * WEEK, Severity.OK, None)
        windows.save_window(world.dynamodb, TABLE, MODEL, StoredWindow(verdict, "1", "d", 1, 0))


def forget_window(world, end: datetime) -> None:
    key = {"model": {"S": MODEL}, "item": {"S": f"window#{end:%Y-%m-%dT%H:%M:%SZ}"}}
    world.dynamodb.delete_item(TableName=TABLE, Key=key)


def ends(world) -> list[str]:
    return [body["window"]["end"][:10] for body in world.received("performance")]


def test_profiling_is_asked_for_at_the_schedules_time(world):
    assert handler(load_event("schedule_profile_daily"), CONTEXT) == {"due": 1, "sent": 1}
    assert world.received("profile") == [{"model": MODEL, "time": "2016-01-04T00:30:00Z"}]


def test_the_window_ends_at_midnight_and_has_the_yamls_length(world):
    handler(load_event("schedule_judge_weekly"), CONTEXT)
    (body,) = world.received("performance")
    assert body == {
        "model": MODEL,
        "time": "2016-01-04T02:00:00Z",
        "window": {"start": "2015-12-07T00:00:00Z", "end": "2016-01-04T00:00:00Z"},
    }


def test_a_window_that_an_outage_left_unjudged_is_sent_with_the_next_as_its_own_tick_had_sent_it(world):
    forget_window(world, END - WEEK)
    handler(load_event("schedule_judge_weekly"), CONTEXT)
    missed, due = world.received("performance")
    assert missed == {
        "model": MODEL,
        "time": "2015-12-28T02:00:00Z",
        "window": {"start": "2015-11-30T00:00:00Z", "end": "2015-12-28T00:00:00Z"},
    }
    assert due["window"]["end"] == "2016-01-04T00:00:00Z"


def test_of_a_long_outage_the_last_three_windows_are_sent_oldest_first(world):
    for back in range(1, 6):
        forget_window(world, END - back * WEEK)
    assert handler(load_event("schedule_judge_weekly"), CONTEXT) == {"due": 1, "sent": 4}
    assert ends(world) == ["2015-12-14", "2015-12-21", "2015-12-28", "2016-01-04"]


def test_once_they_are_judged_they_are_not_sent_again(world):
    judged_until(world, END)
    handler(load_event("schedule_judge_weekly") | {"time": "2016-01-11T02:00:00Z"}, CONTEXT)
    assert ends(world) == ["2016-01-11"]


def test_a_missed_window_before_the_promotion_is_not_sent(world):
    world.promote(datetime(2015, 12, 22, tzinfo=UTC))
    for back in range(1, 4):
        forget_window(world, END - back * WEEK)
    handler(load_event("schedule_judge_weekly"), CONTEXT)
    assert ends(world) == ["2015-12-28", "2016-01-04"]


def test_a_window_starts_no_earlier_than_the_promotion(world):
    world.promote(datetime(2015, 12, 30, 11, tzinfo=UTC))
    handler(load_event("schedule_judge_weekly"), CONTEXT)
    (body,) = world.received("performance")
    assert body["window"]["start"] == "2015-12-30T11:00:00Z"


def test_a_package_promoted_after_the_windows_end_has_nothing_to_judge(world):
    world.promote(datetime(2016, 1, 4, 1, tzinfo=UTC))
    assert handler(load_event("schedule_judge_weekly"), CONTEXT)["sent"] == 0


def test_another_cadence_is_not_this_models(world):
    assert handler(load_event("schedule_judge_weekly") | {"cadence": "daily"}, CONTEXT) == {"due": 0, "sent": 0}


def test_a_model_that_is_not_deployed_gets_no_message(world):
    world.dynamodb.delete_item(TableName=TABLE, Key={"model": {"S": MODEL}, "item": {"S": "champion"}})
    assert handler(load_event("schedule_profile_daily"), CONTEXT) == {"due": 1, "sent": 0}


def test_hourly_windows_end_with_the_last_full_hour():
    time = datetime(2016, 1, 4, 2, 40, tzinfo=UTC)
    assert fan_out.last_boundary(time, hourly=True) == datetime(2016, 1, 4, 2, tzinfo=UTC)
    assert fan_out.last_boundary(time, hourly=False) == datetime(2016, 1, 4, tzinfo=UTC)


def test_more_models_than_a_batch_holds_get_a_message_each(world, monkeypatch):
    configs = {f"m{n}": world.config.model_copy(update={"model": f"m{n}"}) for n in range(105)}
    champion = world.item("champion")
    puts = [{"PutRequest": {"Item": champion | {"model": {"S": name}}}} for name in configs]
    for start in range(0, len(puts), 25):
        world.dynamodb.batch_write_item(RequestItems={TABLE: puts[start : start + 25]})
    monkeypatch.setattr(fan_out, "load_catalogue", lambda _: Catalogue(Definitions(configs), Definitions()))
    monkeypatch.setattr(fan_out, "MISSED_WINDOWS", 0)
    assert handler(load_event("schedule_judge_weekly"), CONTEXT) == {"due": 105, "sent": 105}
    assert world.waiting("performance") == 105


HOURLY = {"step": "hour", "cadence": "hourly", "time": "2016-01-04T02:05:00Z"}


def test_each_hour_what_is_held_is_decided_again(world):
    assert handler(HOURLY, CONTEXT)["decide"] == 0
    wishes.save_held(world.dynamodb, TABLE, MODEL, HeldRetraining("quiet", 0.0))
    assert handler(HOURLY, CONTEXT)["decide"] == 1
    assert world.received("decision") == [{"model": MODEL, "time": "2016-01-04T02:05:00Z"}]


def test_a_model_with_a_schedule_is_decided_each_hour(world, monkeypatch):
    policy = world.config.retraining.model_copy(update={"schedule": "cron(0 4 1 * ? *)"})
    config = world.config.model_copy(update={"retraining": policy})
    monkeypatch.setattr(fan_out, "load_catalogue", lambda _: Catalogue(Definitions({MODEL: config}), Definitions()))
    assert handler(HOURLY, CONTEXT)["decide"] == 1
    watched = config.model_copy(update={"mode": "watch"})
    monkeypatch.setattr(fan_out, "load_catalogue", lambda _: Catalogue(Definitions({MODEL: watched}), Definitions()))
    assert handler(HOURLY, CONTEXT)["decide"] == 0


def compared(world, *, seen_at: datetime = NOW) -> None:
    """The endpoint serves the champion's config, and was found to do so."""
    world.serve(world.item("champion")["endpoint_config"]["S"])
    found = world.sagemaker.describe_endpoint(EndpointName=MODEL)
    agreement = Agreement(found["EndpointConfigName"], found["LastModifiedTime"], seen_at, instances=1)
    agreements.save(world.dynamodb, TABLE, MODEL, agreement)


def captured(world, *, readable: bool = True, seen_at: datetime = NOW, version: str = "1") -> None:
    capture_states.save(world.dynamodb, TABLE, MODEL, CaptureState(version, readable, seen_at))


def hour(world, time: datetime = NOW + timedelta(hours=1)) -> dict[str, int]:
    """How many messages an hour's tick sends, by what they are for."""
    return handler({**HOURLY, "time": time.isoformat()}, CONTEXT)


@pytest.fixture
def quiet(world):
    compared(world)
    captured(world)
    return world


NOTHING = {"settle": 0, "decide": 0, "look": 0}


def test_in_a_quiet_hour_nothing_is_sent(quiet):
    assert hour(quiet) == NOTHING


WAITS = {
    "a lease": lambda w: leased(w),
    "a release": lambda w: released(w),
    "a release that waits": lambda w: approvals.wait(w.dynamodb, TABLE, MODEL, Waiting("arn", "2", NOW)),
    "a mute": lambda w: mutes.save(w.dynamodb, TABLE, MODEL, Mute(NOW, "noise", "me")),
    "a broken promise": lambda w: promises.save(w.dynamodb, TABLE, MODEL, Promise("c", ("w",), ("worse",))),
    "a message that was not sent": lambda w: unsent(w),
}


@pytest.mark.parametrize("what", WAITS)
def test_whatever_waits_has_its_model_settled(quiet, what):
    WAITS[what](quiet)
    assert hour(quiet) == {**NOTHING, "settle": 1}
    (sent,) = quiet.received("settle")
    assert (sent["model"], sent["hourly"]) == (MODEL, True)


def leased(world) -> None:
    leases.take(world.dynamodb, world.stepfunctions, TABLE, MODEL, Lease("an execution", NOW, "release"))


def unsent(world) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "_send", lambda *_: False)
        desk = telling.Desk(world.dynamodb, world.s3, world.sns, TABLE, BUCKET, Topics("people", "programs"))
        telling.record_and_tell(
            desk, Entry(MODEL, "failed", NOW, {"machine": "m", "error": "e", "cause": "c", "run": "r"})
        )


def test_a_promise_that_is_kept_is_nothing_to_settle(quiet):
    promises.save(quiet.dynamodb, TABLE, MODEL, Promise("c", ("w",)))
    assert hour(quiet) == NOTHING


def test_an_endpoint_that_was_changed_deleted_or_not_compared_for_a_day_is_settled(quiet):
    assert hour(quiet, NOW + timedelta(hours=25))["settle"] == 1
    quiet.serve("by-hand")
    assert hour(quiet)["settle"] == 1
    compared(quiet)
    captured(quiet)
    quiet.sagemaker.delete_endpoint(EndpointName=MODEL)
    assert hour(quiet)["settle"] == 1


def test_at_night_every_model_is_settled(quiet):
    night = (NOW + timedelta(days=1)).replace(hour=3)
    compared(quiet, seen_at=night)
    assert hour(quiet, night)["settle"] == len(names(BUCKET))


def test_captures_are_looked_at_twice_a_day_and_each_hour_until_they_can_be_read(quiet):
    assert hour(quiet, NOW + timedelta(hours=12))["look"] == 1
    (sent,) = quiet.received("capture")
    assert sent["model"] == MODEL
    captured(quiet, readable=False)
    assert hour(quiet)["look"] == 1
    captured(quiet, version="0")
    assert hour(quiet)["look"] == 1


def test_a_model_that_was_taken_away_gets_no_message_but_for_what_people_are_still_told_of_it(quiet, monkeypatch):
    leased(quiet)
    monkeypatch.setattr(fan_out, "load_catalogue", lambda _: Catalogue(Definitions(), Definitions()))
    assert hour(quiet) == NOTHING
    unsent(quiet)
    for time in (NOW, NOW.replace(hour=3)):
        assert hour(quiet, time) == {**NOTHING, "settle": 1}
