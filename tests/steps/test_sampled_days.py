"""A day of which a sample is counted: the same rows whenever it is read, and true numbers of what came."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from kedge.capture.id_hashes import hash_ids, in_sample
from kedge.profile.encoding import decode_baseline
from lambdas.adapters.bucket import counted_ids, days, predictions
from lambdas.steps.counting import day_folding
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.day_folding import fold_day
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import BUCKET, MODEL, monitor_world, scored

DAY = date(2016, 1, 3)


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


@pytest.fixture(scope="module")
def bookings():
    return load_bookings("2016-01-03", "2016-01-04")


def place(world, percentage: int) -> CountingPlace:
    capture = world.config.capture.model_copy(update={"counted_percentage": percentage})
    config = world.config.model_copy(update={"capture": capture})
    return CountingPlace(BUCKET, config, "1", decode_baseline(world.read(f"baselines/{MODEL}/1.npz")), DAY)


def capture(world, rows, **names) -> list[str]:
    return world.capture(rows, scored(rows, skill=0.8)[0], **names)


def ids_of(rows) -> list[str]:
    return rows.column("id").cast(pa.string()).to_pylist()


def chosen(rows, percentage: int) -> list[str]:
    inside = in_sample(hash_ids(pa.array(ids_of(rows))), percentage)
    return sorted(row for row, there in zip(ids_of(rows), inside, strict=True) if there)


def stored(world, of: CountingPlace) -> list[str]:
    found, _ = days.load_day(world.s3, BUCKET, of.key)
    rows = predictions.load_parts(world.s3, BUCKET, found.parts, ["kedge_row_id"])
    return sorted(rows.column("kedge_row_id").to_pylist())


def test_chosen_rows_are_counted_and_kept_and_all_are_told(world, bookings):
    capture(world, bookings)
    of = place(world, 40)
    folded = fold_day(of)
    found, _ = days.load_day(world.s3, BUCKET, of.key)
    assert stored(world, of) == chosen(bookings, 40)
    assert 0 < sum(found.rows.values()) == len(chosen(bookings, 40)) < bookings.num_rows
    hours = Counter(time.hour for time in bookings.column("kedge_time").to_pylist())
    assert found.rows_read == found.requests == hours
    assert (folded.rows, found.quarantined, found.duplicates) == (bookings.num_rows, 0, 0)
    hashes = [
        hash_ for part in found.parts for hash_ in counted_ids.decode_hashes(world.read(counted_ids.hashes_key(part)))
    ]
    assert len(hashes) == len(chosen(bookings, 40))


def test_a_row_that_comes_twice_is_counted_once(world, bookings):
    capture(world, bookings)
    fold_day(place(world, 40))
    capture(world, bookings, name="again")
    of = place(world, 40)
    fold_day(of)
    found, _ = days.load_day(world.s3, BUCKET, of.key)
    assert stored(world, of) == chosen(bookings, 40)
    assert found.duplicates == len(chosen(bookings, 40))


def test_a_day_in_which_the_percentage_changes_holds_what_was_counted_then_and_counted_again_one_sample(
    world, bookings
):
    morning, evening = bookings.slice(0, 20), bookings.slice(20)
    keys = capture(world, morning)
    fold_day(place(world, 100))
    capture(world, evening, name="b")
    of = place(world, 40)
    fold_day(of)
    assert stored(world, of) == sorted([*ids_of(morning), *chosen(evening, 40)])
    found, _ = days.load_day(world.s3, BUCKET, of.key)
    assert sum(found.rows_read.values()) == bookings.num_rows
    # An object that changes has the whole day counted again.
    world.put(keys[0], world.read(keys[0]) + b"\n")
    fold_day(of)
    found, _ = days.load_day(world.s3, BUCKET, of.key)
    assert stored(world, of) == chosen(bookings, 40)
    assert sum(found.rows_read.values()) == bookings.num_rows


def test_parts_that_a_day_names_stay_as_they_are_while_it_is_counted_by_another_percentage(
    world, bookings, monkeypatch
):
    # A part for a few rows: those of the objects that have not changed would have the same names.
    monkeypatch.setattr(day_folding, "BATCH_BYTES", 4000)
    *_, last = sorted(capture(world, bookings))
    fold_day(place(world, 100))
    parts = days.load_day(world.s3, BUCKET, place(world, 100).key)[0].parts
    before = [world.read(part) for part in parts]
    world.put(last, world.read(last) + b"\n")
    fold_day(place(world, 80))
    assert [world.read(part) for part in parts] == before


def test_each_variant_has_its_own_rows_left_out(world, bookings):
    endpoint = world.config.endpoint.model_copy(update={"variants": ("a", "b")})
    halves = {"a": bookings.slice(0, 20), "b": bookings.slice(20)}
    for name, rows in halves.items():
        capture(world, rows, variant=name)
    of = place(world, 40)
    of = replace(of, config=of.config.model_copy(update={"endpoint": endpoint}))
    fold_day(of)
    found, _ = days.load_day(world.s3, BUCKET, of.key)
    for name, rows in halves.items():
        assert sum(found.variants[name].rows_read.values()) == rows.num_rows
        assert sum(found.variants[name].rows.values()) == len(chosen(rows, 40))
