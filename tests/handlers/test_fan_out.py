"""fan_out sends one message per deployed model of a cadence, at the schedule's time."""

from datetime import UTC, datetime, timedelta

import pytest

from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.state import windows, wishes
from lambdas.adapters.state.windows import StoredWindow
from lambdas.adapters.state.wishes import HeldRetraining
from lambdas.handlers import fan_out
from lambdas.handlers.fan_out import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.monitor_world import MODEL, TABLE, load_event, monitor_world

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
    monkeypatch.setattr(fan_out, "load_models", lambda _: configs)
    monkeypatch.setattr(fan_out, "MISSED_WINDOWS", 0)
    assert handler(load_event("schedule_judge_weekly"), CONTEXT) == {"due": 105, "sent": 105}
    assert world.waiting("performance") == 105


HOURLY = {"step": "decide", "cadence": "hourly", "time": "2016-01-04T02:05:00Z"}


def test_each_hour_what_is_held_is_decided_again(world):
    assert handler(HOURLY, CONTEXT) == {"due": 0, "sent": 0}
    wishes.save_held(world.dynamodb, TABLE, MODEL, HeldRetraining("quiet", 0.0))
    assert handler(HOURLY, CONTEXT) == {"due": 1, "sent": 1}
    assert world.received("decision") == [{"model": MODEL, "time": "2016-01-04T02:05:00Z"}]


def test_a_model_with_a_schedule_is_decided_each_hour(world, monkeypatch):
    policy = world.config.retraining.model_copy(update={"schedule": "cron(0 4 1 * ? *)"})
    config = world.config.model_copy(update={"retraining": policy})
    monkeypatch.setattr(fan_out, "load_models", lambda _: {MODEL: config})
    assert handler(HOURLY, CONTEXT)["sent"] == 1
    watched = config.model_copy(update={"mode": "watch"})
    monkeypatch.setattr(fan_out, "load_models", lambda _: {MODEL: watched})
    assert handler(HOURLY, CONTEXT)["sent"] == 0
