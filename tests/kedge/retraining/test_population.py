"""What is used of rows is decided by their counts alone, so that it does not matter where the rows lie."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.config.reading import parse_model_config
from kedge.retraining.population import (
    HOUR_MICROSECONDS,
    Population,
    RowCounts,
    boundary_hour,
    counts_of,
    microseconds,
    population_of,
    split_population,
)
from kedge.retraining.selection import (
    HASH_BITS,
    capacity_rows,
    holdout_rows,
    pools,
    row_hashes,
    selected,
    with_holdout_that_fits,
)
from kedge.retraining.snapshot import Split, split_at, split_in_time

START = datetime(2016, 1, 1, tzinfo=UTC)
WIDE = 1_997
YAML = """
model: m
endpoint: {name: m}
features: [%s]
training: {minimum_rows: 1, %s}
gate: {minimum_holdout_rows: 1}
"""


def config(training="window_days: 30", features=1):
    named = ", ".join(f"{{name: x{n}, kind: numeric}}" for n in range(features))
    return parse_model_config(YAML % (named, training), source="m.yaml")


def rows(labels, seconds):
    times = pa.array([START + timedelta(seconds=int(s)) for s in sorted(seconds)], pa.timestamp("us", "UTC"))
    ids = pa.array([f"r{place}" for place in range(len(labels))], pa.string())
    return pa.table({"kedge_row_id": ids, "kedge_time": times, "label": pa.array([*labels], pa.string())})


histories = st.lists(st.tuples(st.sampled_from("0001"), st.integers(0, 5 * 3600)), min_size=1, max_size=200).map(
    lambda drawn: rows([label for label, _ in drawn], [second for _, second in drawn])
)


def by_hour(tally):
    keys, places = np.unique(np.stack([tally.hours, tally.codes]), axis=1, return_inverse=True)
    return RowCounts(keys[0], keys[1], np.bincount(places.ravel(), tally.rows).astype(np.int64))


def counted(table, wanted, learnt_until=None, holdout_fraction=0.2):
    """The population as it is known from counts by hour, and those of one hour by time."""
    tally = counts_of(table, wanted)
    how = {"holdout_fraction": holdout_fraction, "learnt_until": learnt_until}
    hour = boundary_hour(by_hour(tally), **how)
    start = microseconds(hour)
    within = tally.only((tally.times >= start) & (tally.times < start + HOUR_MICROSECONDS))
    return split_population(by_hour(tally), within, hour, **how)


@given(histories, st.floats(0.01, 0.49), st.none() | st.integers(-3600, 6 * 3600))
def test_counts_are_split_where_the_rows_would_be(table, fraction, learnt):
    learnt_until = None if learnt is None else START + timedelta(seconds=learnt)
    split = split_in_time(table, holdout_fraction=fraction, learnt_until=learnt_until)
    found = counted(table, config(), learnt_until, fraction)
    assert (found.training.rows.sum(), found.holdout) == (split.training.num_rows, split.holdout.num_rows)
    assert found.by_class(config()).tolist() == population_of(split, config()).by_class(config()).tolist()
    assert split_at(table, found.boundary).training.equals(split.training)


def some_of(split, wanted, population):
    """The rows that a query for the pools brings: whole hours, and hashes below a limit."""
    tally, hashes = counts_of(split.training, wanted), row_hashes(split.training.column("kedge_row_id"))
    mask = np.zeros(split.training.num_rows, bool)
    for pool in pools(population, wanted):
        limit = 2**HASH_BITS if pool.hash_limit is None else pool.hash_limit
        mask |= (tally.codes == pool.code) & (tally.times >= pool.since) & (hashes < limit)
    return Split(split.training.filter(pa.array(mask)), split.holdout)


@settings(deadline=None)
@given(
    histories, st.sampled_from(["", "class_ratio_max: 1", "maximum_rows: 20", "class_ratio_max: 2, maximum_rows: 9"])
)
def test_the_rows_of_the_pools_are_enough_to_choose_from(table, training):
    wanted = config(training)
    split = split_in_time(table, holdout_fraction=0.2, learnt_until=None)
    population = counted(table, wanted)
    whole = selected(split, wanted, population)
    assert selected(some_of(split, wanted, population), wanted, population)[0].training.equals(whole[0].training)
    assert selected(split, wanted, population_of(split, wanted))[0].training.equals(whole[0].training)


def test_more_rows_than_fit_are_thinned_evenly_and_each_class_keeps_its_share():
    wanted = config(features=WIDE)
    table = rows("0001" * 25_000, range(0, 3_000_000, 30))
    split = split_in_time(table, holdout_fraction=0.2, learnt_until=None)
    population = population_of(split, wanted)
    judged, (of_holdout,) = with_holdout_that_fits(split, wanted, population)
    fetched = some_of(judged, wanted, population)
    assert fetched.training.num_rows < 1.1 * capacity_rows(wanted)
    found, (said,) = selected(fetched, wanted, population)
    assert found.training.num_rows + found.holdout.num_rows == capacity_rows(wanted) == 20_000
    ones = pc.sum(pc.equal(found.training.column("label"), "1")).as_py()
    assert ones == found.training.num_rows // 4
    middle = START + timedelta(seconds=1_200_000)
    late = pc.sum(pc.greater(found.training.column("kedge_time"), pa.scalar(middle))).as_py()
    assert abs(late / found.training.num_rows - 0.5) < 0.02
    assert said.startswith("16,000 of 80,000 training rows are used, evenly over time")
    assert of_holdout.startswith("4,000 of 20,000 holdout rows are judged on, evenly over time")


def test_a_holdout_is_no_larger_than_the_yaml_wants():
    wanted = config("maximum_holdout_rows: 7")
    split = split_in_time(rows("01" * 50, range(0, 100_000, 1000)), holdout_fraction=0.2, learnt_until=None)
    found, (note,) = with_holdout_that_fits(split, wanted, population_of(split, wanted))
    hashes = row_hashes(split.holdout.column("kedge_row_id"))
    assert sorted(row_hashes(found.holdout.column("kedge_row_id"))) == sorted(hashes)[:7]
    assert found.holdout.column("kedge_time").to_pylist() == sorted(found.holdout.column("kedge_time").to_pylist())
    assert note.startswith("7 of 20 holdout rows are judged on")
    assert holdout_rows(Population(counts_of(split.training, wanted), 5, None), wanted) == 5


def test_balanced_classes_of_the_newest_rows_reach_back_equally_far():
    wanted = config("class_ratio_max: 1, maximum_rows: 100")
    table = rows("0000000001" * 500, range(0, 500_000, 100))
    split = Split(table, table.slice(0, 0))
    found, notes = selected(split, wanted, population_of(split, wanted))
    of_class = {name: found.training.filter(pc.equal(found.training.column("label"), name)) for name in "01"}
    assert {name: each.num_rows for name, each in of_class.items()} == {"0": 50, "1": 50}
    oldest = [pc.min(each.column("kedge_time")).as_py() for each in of_class.values()]
    assert abs(oldest[0] - oldest[1]) < timedelta(hours=3)
    assert len(notes) == 2
