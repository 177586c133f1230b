"""profile_logs folds what was captured, each row once, whatever arrives when."""

import io
import itertools
import json
from datetime import UTC, date, datetime

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from kedge.day_profile import DayProfile, encode_day
from kedge.errors import DayContendedError
from lambdas.adapters import baselines, days, served
from lambdas.handlers.profile_logs import Place, fold_day, handler
from tests.conditional_writes import CONFLICT, FINE, LOST, faults
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings
from tests.handlers.interleaving import interleave
from tests.handlers.monitor_world import BUCKET, MODEL, TABLE, load_event, monitor_world, scored

DAY = date(2016, 1, 3)
KEY = f"profiles/{MODEL}/1/1/2016-01-03.npz"


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2016-01-03", "2016-01-04")


def run() -> dict:
    return json.loads(json.dumps(handler(load_event("message_profile"), CONTEXT)))


def day_of(world, key: str = KEY):
    return days.load_day(world.s3, BUCKET, key)[0]


def rows_counted(world, key: str = KEY) -> int:
    return sum(profile.rows for profile in day_of(world, key).hours.values())


def table_of(world, key: str = KEY) -> pa.Table:
    parts = [pq.read_table(io.BytesIO(world.read(part))) for part in day_of(world, key).parts]
    return pa.concat_tables(parts)


def capture(world, bookings, **names) -> list[str]:
    return world.capture(bookings, scored(bookings, skill=0.8)[0], **names)


def test_every_captured_row_is_counted_and_kept(world, bookings):
    capture(world, bookings)
    assert run()["RowsCaptured"] == bookings.num_rows
    assert rows_counted(world) == bookings.num_rows
    table = table_of(world)
    assert sorted(table.column("row_id").to_pylist()) == sorted(map(str, bookings.column("id").to_pylist()))
    assert table.column_names == ["row_id", "event_id", "time", *world.config.feature_names, "prediction"]
    assert table.schema.field("adr").type == pa.float32()


def test_hours_are_those_of_the_capture_keys(world, bookings):
    capture(world, bookings)
    run()
    hours = {time.hour for time in bookings.column("time").to_pylist()}
    assert set(day_of(world).hours) == hours


def test_nothing_new_means_nothing_written(world, bookings):
    capture(world, bookings)
    run()
    before = world.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
    assert run() == {"RowsCaptured": 0, "RecordsQuarantined": 0, "RowsDuplicated": 0}
    assert world.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"] == before
    assert len(world.keys("predictions/")) == 1


def test_late_files_join_the_day_they_belong_to(world, bookings):
    capture(world, bookings.slice(0, 30))
    run()
    capture(world, bookings.slice(30), name="late")
    assert run()["RowsCaptured"] == bookings.num_rows - 30
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows


def test_a_row_that_was_captured_twice_is_counted_once(world, bookings):
    capture(world, bookings)
    run()
    capture(world, bookings.slice(0, 10), name="again")
    added = run()
    assert (added["RowsCaptured"], added["RowsDuplicated"]) == (0, 10)
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows


def test_a_row_that_is_twice_in_one_batch_is_counted_once(world, bookings):
    capture(world, bookings)
    capture(world, bookings.slice(0, 10), name="again")
    assert run()["RowsDuplicated"] == 10
    assert rows_counted(world) == bookings.num_rows


def test_a_changed_object_has_its_day_counted_again(world, bookings):
    keys = capture(world, bookings)
    run()
    fewer = world.read(keys[0]).splitlines()[:1]
    removed = len(world.read(keys[0]).splitlines()) - 1
    world.put(keys[0], b"\n".join(fewer))
    run()
    assert rows_counted(world) == bookings.num_rows - removed == table_of(world).num_rows


def test_a_vanished_object_takes_its_rows_along(world, bookings):
    keys = capture(world, bookings)
    run()
    gone = len(world.read(keys[0]).splitlines())
    world.s3.delete_object(Bucket=BUCKET, Key=keys[0])
    run()
    assert rows_counted(world) == bookings.num_rows - gone == table_of(world).num_rows
    assert keys[0] not in day_of(world).manifest


def test_a_row_whose_first_copy_vanished_is_counted_from_its_second(world, bookings):
    """The second file's part must not keep the name that it had while the first file's rows were left out of it."""
    first = capture(world, bookings.slice(0, 10))
    run()
    capture(world, bookings, name="second")
    run()
    for key in first:
        world.s3.delete_object(Bucket=BUCKET, Key=key)
    run()
    assert rows_counted(world) == bookings.num_rows == table_of(world).num_rows
    assert len(world.keys("predictions/")) == 3


def test_broken_lines_are_kept_aside_with_their_reason(world, bookings):
    keys = capture(world, bookings)
    whole = world.read(keys[0])
    world.put(keys[0], whole + b'\n{"captureData": \nnot a record')
    added = run()
    assert (added["RowsCaptured"], added["RecordsQuarantined"]) == (bookings.num_rows, 2)
    (key,) = world.keys(f"quarantine/{MODEL}/1/2016-01-03/")
    aside = [json.loads(line) for line in world.read(key).splitlines()]
    first_broken = len(whole.splitlines()) + 1
    assert [(entry["key"], entry["line"]) for entry in aside] == [(keys[0], first_broken), (keys[0], first_broken + 1)]
    assert all(entry["reason"].startswith("not JSON") for entry in aside)
    assert aside[1]["record"] == "not a record"


def test_a_canary_is_counted_apart_on_its_own_baseline(world, bookings):
    world.freeze("2")
    served.save(world.dynamodb, TABLE, MODEL, "2", since=datetime(2016, 1, 3, tzinfo=UTC))
    capture(world, bookings.slice(0, 40))
    capture(world, bookings.slice(40), version="2")
    run()
    assert rows_counted(world) == 40
    assert rows_counted(world, f"profiles/{MODEL}/2/2/2016-01-03.npz") == bookings.num_rows - 40


def test_days_before_the_last_two_are_left_alone(world):
    old = load_bookings("2016-01-01", "2016-01-02")
    capture(world, old)
    assert run()["RowsCaptured"] == 0


def test_a_quiet_run_lists_and_reads_each_day_once(world, bookings):
    capture(world, bookings)
    run()
    calls = []

    def note(model, params, **_):
        if "ContinuationToken" not in params:  # the next page of a listing is no further listing
            calls.append(model.name)

    world.s3.meta.events.register("provide-client-params.s3", note)
    run()
    # The baseline once, and for each of three days its object and one listing.
    assert sorted(calls) == ["GetObject"] * 4 + ["ListObjectsV2"] * 3


def test_two_folds_interleaved_at_every_step_lose_and_double_nothing(world, bookings):
    early, late = hours_of(bookings, 0), hours_of(bookings, 1)
    baseline = baselines.load_baseline(world.s3, BUCKET, MODEL, "1")
    place = Place(BUCKET, world.config, "1", baseline, DAY)

    def arrange():
        for prefix in ("profiles/", "predictions/", "capture/"):
            for key in world.keys(prefix):
                world.s3.delete_object(Bucket=BUCKET, Key=key)
        capture(world, early)

    def fold():
        fold_day(place)

    arrange()
    steps = interleave(world.s3, fold, fold, 1000, 0)
    for first, second in itertools.product(range(steps + 1), repeat=2):
        arrange()
        # A file arrives while the first run is under way: the second sees more than the first.
        interleave(world.s3, fold, fold, first, second, between=lambda: capture(world, late, name="late"))
        fold()
        answered = table_of(world).column("row_id").to_pylist()
        assert rows_counted(world) == len(set(answered)) == len(answered) == early.num_rows + late.num_rows, (
            first,
            second,
        )


@pytest.mark.parametrize("given", list(itertools.product([CONFLICT, LOST, FINE], repeat=2)))
def test_a_day_whose_writes_are_refused_without_a_race_loses_and_doubles_nothing(world, bookings, given):
    early, late = hours_of(bookings, 0), hours_of(bookings, 1)
    capture(world, early)
    with faults(world.s3, *given) as left:
        first = run()
        capture(world, late, name="late")
        assert first["RowsCaptured"] + run()["RowsCaptured"] == early.num_rows + late.num_rows
    answered = table_of(world).column("row_id").to_pylist()
    assert (left, rows_counted(world), len(set(answered))) == ([], len(answered), early.num_rows + late.num_rows)


def test_a_day_that_is_always_replaced_by_others_is_tried_again_later(world, bookings):
    capture(world, hours_of(bookings, 0))
    place = Place(BUCKET, world.config, "1", baselines.load_baseline(world.s3, BUCKET, MODEL, "1"), DAY)

    def meddle(params, **_):
        if {"If-Match", "If-None-Match"} & set(params["headers"]):
            other.put_object(Bucket=BUCKET, Key=KEY, Body=encode_day(DayProfile(quarantined=next(counter))))

    other, counter = boto3.client("s3"), itertools.count()
    world.s3.meta.events.register("before-call.s3.PutObject", meddle, unique_id="meddle")
    with pytest.raises(DayContendedError):
        fold_day(place)


def hours_of(bookings: pa.Table, hour: int) -> pa.Table:
    return bookings.filter(pc.equal(pc.hour(bookings.column("time")), hour))


def test_a_day_knows_how_many_records_each_hour_captured(world, bookings):
    capture(world, bookings)
    run()
    hours = pc.value_counts(pc.hour(bookings.column("time"))).to_pylist()
    assert day_of(world).requests == {entry["values"]: entry["counts"] for entry in hours}
