"""A month becomes one object, and nobody who reads meanwhile sees a row twice or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from lambdas.adapters.bucket import history
from lambdas.adapters.history.compaction import compact
from tests.adapters.bucket.test_history import report
from tests.handlers.aws_world import BUCKET, MODEL, aws_world

NIGHT = datetime(2016, 1, 5, 4, tzinfo=UTC)
ALL = datetime(2015, 1, 1, tzinfo=UTC)


@pytest.fixture
def world(monkeypatch):
    with time_machine.travel(NIGHT - timedelta(hours=2), tick=False), aws_world(monkeypatch) as world:
        yield world


def judged(world, *days, at=None, **changes):
    for day in days:
        window = {"start": f"2016-01-{day - 1:02d}T00:00:00Z", "end": f"2016-01-{day:02d}T00:00:00Z", "rows": 900}
        with time_machine.travel(at or NIGHT - timedelta(hours=2), tick=False):
            history.save_window(world.s3, BUCKET, report(window=window, **changes), f"reports/{day}")


def night(world, after=timedelta()):
    with time_machine.travel(NIGHT + after, tick=False):
        return [
            compact(world.s3, BUCKET, name, "2016-01", now=NIGHT + after) for name in ("windows", "metrics", "columns")
        ]


def seen(world, table="windows"):
    return history.load_history(world.s3, BUCKET, MODEL, table, since=ALL).to_pylist()


def test_after_two_nights_a_month_is_one_object_and_says_the_same(world):
    judged(world, 3, 4, 5)
    before = [seen(world, table) for table in ("windows", "metrics", "columns")]
    assert night(world) == [True] * 3
    assert [seen(world, table) for table in ("windows", "metrics", "columns")] == before
    assert len(world.keys("history/windows/")) == 4, "whoever listed the small objects can still read them"
    assert night(world, timedelta(days=1)) == [False] * 3
    assert len(world.keys("history/")) == 3
    assert [seen(world, table) for table in ("windows", "metrics", "columns")] == before


def test_a_second_run_at_once_changes_nothing(world):
    judged(world, 3, 4)
    night(world)
    keys = world.keys("history/")
    assert night(world, timedelta(minutes=1)) == [False] * 3
    assert world.keys("history/") == keys


def test_a_compacted_month_takes_up_what_comes_later(world):
    judged(world, 3, 4)
    night(world)
    night(world, timedelta(days=1))
    judged(world, 5, at=NIGHT + timedelta(days=1, hours=2))
    judged(world, 4, at=NIGHT + timedelta(days=1, hours=2), severity="CRITICAL", revision=2)
    for days in (2, 3):
        night(world, timedelta(days=days))
    assert [(row["window_end"].day, row["severity"]) for row in seen(world)] == [
        (3, "WARNING"),
        (4, "CRITICAL"),
        (5, "WARNING"),
    ]
    assert len(world.keys("history/windows/")) == 1


def test_an_object_that_is_written_again_before_it_is_deleted_loses_nothing(world):
    judged(world, 3)
    night(world)
    judged(world, 3, at=NIGHT + timedelta(hours=20), severity="CRITICAL", revision=2)
    assert night(world, timedelta(days=1))[0] is True
    night(world, timedelta(days=2))
    assert [row["severity"] for row in seen(world)] == ["CRITICAL"]
