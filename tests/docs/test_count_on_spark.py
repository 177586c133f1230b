"""The recipe that counts a day on Spark: what its tasks do, with the shuffle between them played here, gives the day that the function gives.

Spark itself is not installed for it. The whole job ran on Spark 4.0.1, as docs/scale.md says.
"""

import importlib.util
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from kedge.profile.encoding import decode_baseline
from lambdas.adapters.bucket import days, predictions
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.day_folding import fold_day
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import BUCKET, MODEL, monitor_world, scored
from tests.synthesised import ROOT

DAY = date(2016, 1, 3)


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("count_on_spark", ROOT / "docs" / "recipes" / "count_on_spark.py")
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


def place_of(world, percentage: int = 100, package: str = "1") -> CountingPlace:
    capture = world.config.capture.model_copy(update={"counted_percentage": percentage})
    config = world.config.model_copy(update={"capture": capture})
    return CountingPlace(BUCKET, config, package, decode_baseline(world.read(f"baselines/{MODEL}/1.npz")), DAY)


def keys_of(keys):
    return pa.record_batch({"key": pa.array(keys, pa.string())})


def counted_on_spark(recipe, place, known):
    """The day with what is new, with Spark's shuffle in place: rows whose id is known go, and of one id one is left."""
    tasks = recipe.DayTasks(place)
    new = [each.key for each in place.look(known, lambda _: True).new()]
    read = pa.Table.from_batches(tasks.read([keys_of(new)]), tasks.row_schema)
    said = read.column(recipe.OBJECT)
    seen = {row for batch in tasks.ids([keys_of(known.parts)]) for row in batch.column("kedge_row_id").to_pylist()}
    rows = read.filter(said.is_null())
    is_first = [not (row in seen or seen.add(row)) for row in rows.column("kedge_row_id").to_pylist()]
    once = rows.filter(pa.array(is_first, pa.bool_()))
    counted = [
        day for batch in tasks.count(once.to_batches(max_chunksize=5)) for day in batch.column("day").to_pylist()
    ]
    return known.folded(tasks.day_of(said.drop_null().to_pylist(), counted))


def facts(day):
    """All that a day says, but for the names of its parts."""
    return replace(day, parts=(), hours={hour: profile.counts.tolist() for hour, profile in day.hours.items()})


def rows_in(world, day):
    found = predictions.load_parts(world.s3, BUCKET, day.parts)
    return found.sort_by("kedge_row_id")


@pytest.mark.parametrize("percentage", [100, 30])
def test_the_day_and_its_rows_are_those_of_the_function(world, recipe, monkeypatch, percentage):
    monkeypatch.setattr(recipe, "PART_ROWS", 5)
    rows, place = load_bookings("2016-01-03", "2016-01-04"), place_of(world, percentage)
    world.capture(rows, scored(rows, skill=0.8)[0])
    world.put(f"{place.folders[0].prefix}07/broken.jsonl", b"{not json\n{}\n")
    on_spark = counted_on_spark(recipe, place, days.load_day(world.s3, BUCKET, place.key)[0])
    fold_day(place)
    function, etag = days.load_day(world.s3, BUCKET, place.key)
    assert facts(on_spark) == facts(function)
    assert len(on_spark.parts) > 1
    assert on_spark.quarantined == 2
    assert rows_in(world, on_spark).equals(rows_in(world, function))

    # What Spark saved the function goes on with, and the other way round: requests that come again are doubles.
    assert days.save_day(world.s3, BUCKET, place.key, on_spark, etag=etag)
    world.capture(rows.slice(0, 50), scored(rows.slice(0, 50), skill=0.8)[0], name="again")
    again = counted_on_spark(recipe, place, on_spark)
    fold_day(place)
    assert facts(again) == facts(days.load_day(world.s3, BUCKET, place.key)[0])
    assert again.duplicates > 0


def test_a_task_that_runs_twice_writes_the_same_part(world, recipe):
    rows, place = load_bookings("2016-01-03", "2016-01-04"), place_of(world)
    world.capture(rows, scored(rows, skill=0.8)[0])
    nothing = days.load_day(world.s3, BUCKET, place.key)[0]
    first, second = counted_on_spark(recipe, place, nothing), counted_on_spark(recipe, place, nothing)
    assert first.parts == second.parts


def test_it_finds_the_packages_day_and_refuses_a_model_that_it_cannot_count(world, recipe):
    assert recipe.place_of(BUCKET, MODEL, "1", DAY).key == place_of(world).key
    world.put(
        "deployed/logged.yaml", b"{model: logged, mode: watch, source: log, features: [{name: x, kind: numeric}]}"
    )
    with pytest.raises(SystemExit, match="profile_logs counts this model"):
        recipe.place_of(BUCKET, "logged", "1", DAY)
