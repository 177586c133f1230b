"""fan_out sends one message per deployed model of a cadence, at the schedule's time."""

from datetime import UTC, datetime

import pytest

from lambdas.handlers import fan_out
from lambdas.handlers.fan_out import handler
from tests.handlers.aws_world import CONTEXT
from tests.handlers.monitor_world import MODEL, TABLE, load_event, monitor_world


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


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
    monkeypatch.setattr(fan_out, "load_models", lambda: configs)
    assert handler(load_event("schedule_judge_weekly"), CONTEXT) == {"due": 105, "sent": 105}
    assert world.waiting("performance") == 105
