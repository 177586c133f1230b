"""At night the history gets what it lacks, from what is kept anyway."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters.bucket import history, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.handlers.keep_history import handler
from tests.adapters.bucket.test_history import report
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, aws_world

NOW = datetime(2016, 1, 5, 4, 10, tzinfo=UTC)
KEY = f"reports/{MODEL}/3/2016-01-04T00/drift-r1.json"


@pytest.fixture
def world(monkeypatch):
    with time_machine.travel(NOW - timedelta(hours=2), tick=False), aws_world(monkeypatch) as world:
        timeline.record(world.s3, BUCKET, Entry(MODEL, "paused", NOW - timedelta(hours=5), {"reason": "a holiday"}))
        yield world


def night(after=timedelta(), **request):
    with time_machine.travel(NOW + after, tick=False):
        return handler({"time": (NOW + after).isoformat(), **request}, CONTEXT)


def loaded(world, table):
    return history.load_history(world.s3, BUCKET, MODEL, table, since=NOW.replace(year=2000)).to_pylist()


def test_a_report_and_an_entry_without_their_rows_get_them(world):
    world.put(KEY, json.dumps(report()).encode())
    assert night() == {"windows": 1, "decisions": 1, "days": 0, "months": 4}
    (window,) = loaded(world, "windows")
    assert window["report_key"] == KEY
    (decision,) = loaded(world, "decisions")
    assert (decision["kind"], decision["reason"], decision["severity"]) == ("paused", "a holiday", "OK")
    assert json.loads(decision["detail"]) == {"reason": "a holiday"}


def test_what_is_there_is_not_written_again(world):
    world.put(KEY, json.dumps(report()).encode())
    night()
    assert night(timedelta(days=1)) == {"windows": 0, "decisions": 0, "days": 0, "months": 0}


def test_a_report_that_was_written_again_since_replaces_its_rows(world):
    world.put(KEY, json.dumps(report()).encode())
    night()
    with time_machine.travel(NOW + timedelta(hours=3), tick=False):
        world.put(KEY, json.dumps(report(severity="CRITICAL")).encode())
    assert night(timedelta(days=1))["windows"] == 1
    assert [row["severity"] for row in loaded(world, "windows")] == ["CRITICAL"]


def test_of_a_windows_reports_the_newest_revision_counts(world):
    for revision in (1, 2, 10):
        world.put(KEY.replace("-r1", f"-r{revision}"), json.dumps(report(revision=revision)).encode())
    assert night()["windows"] == 1
    assert [row["revision"] for row in loaded(world, "windows")] == [10]


def test_a_nights_look_back_is_bounded_and_a_person_may_ask_for_all(world):
    old = report(window={"start": "2014-12-28T00:00:00Z", "end": "2015-01-04T00:00:00Z", "rows": 900})
    world.put(f"reports/{MODEL}/3/2015-01-04T00/drift-r1.json", json.dumps(old).encode())
    assert night()["windows"] == 0
    assert night(since="2014-01-01T00:00:00Z")["windows"] == 1
    assert [row["window_end"].year for row in loaded(world, "windows")] == [2015]


def test_a_counted_days_parts_are_listed_and_listed_anew_when_it_is_counted_again(world):
    key, listed = (
        f"profiles/{MODEL}/3/3/2016-01-03.npz",
        f"history/answers/model={MODEL}/month=2016-01/3.2016-01-03.txt",
    )
    world.put(key, encode_day(DayProfile(parts=("predictions/a.parquet",))))
    assert night()["days"] == 1
    assert world.read(listed) == f"s3://{BUCKET}/predictions/a.parquet\n".encode()
    with time_machine.travel(NOW + timedelta(hours=3), tick=False):
        world.put(key, encode_day(DayProfile(parts=("predictions/b.parquet",))))
    assert night(timedelta(days=1))["days"] == 1
    assert world.read(listed) == f"s3://{BUCKET}/predictions/b.parquet\n".encode()
    assert night(timedelta(days=2))["days"] == 0


def test_a_night_without_time_leaves_its_work_to_the_next(world):
    world.put(KEY, json.dumps(report()).encode())
    hurried = type(CONTEXT)(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: 60_000})
    with time_machine.travel(NOW, tick=False):
        assert handler({"time": NOW.isoformat()}, hurried)["windows"] == 0
    assert night()["windows"] == 1
