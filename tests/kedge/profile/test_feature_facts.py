"""Facts of the training rows, however they are cut into batches."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.columns.casting import Column
from kedge.columns.row_batches import COLUMNS_AT_ONCE, RowBatches
from kedge.config.reading import parse_model_config
from kedge.model_monitor import LEVELS_DESCRIBED, baseline_constraints, baseline_statistics
from kedge.profile.feature_facts import Moments, read_facts

NUMBER, LEVEL = Column("n", "feature", "numeric", "float64"), Column("c", "feature", "categorical", "string")
CONFIG = parse_model_config("{model: m, endpoint: {name: m}, features: [{name: n, kind: numeric}]}", source="m.yaml")


def cut(table, size):
    parts = lambda names: (table.select(names).slice(start, size) for start in range(0, table.num_rows, size))  # noqa: E731
    return RowBatches(tuple(table.column_names), table.num_rows, parts)


@given(
    values=st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=50),
    size=st.integers(1, 60),
)
def test_numbers_in_any_batches_have_the_moments_of_all(values, size):
    found = read_facts([NUMBER], cut(pa.table({"n": pa.array(values, pa.float64())}), size), times=None)["n"]
    there = np.array([value for value in values if value is not None])
    assert (found.rows, found.missing) == (len(values), len(values) - len(there))
    if not len(there):
        assert found.numbers == Moments()
        return
    moments = found.numbers
    assert (moments.rows, moments.low, moments.high) == (len(there), there.min(), there.max())
    assert moments.mean == pytest.approx(there.mean(), rel=1e-9, abs=1e-6)
    assert moments.std_dev == pytest.approx(there.std(), rel=1e-6, abs=1e-6)


def test_a_spread_far_from_zero_is_not_lost_in_its_sum():
    values = 1e9 + np.arange(10.0)
    halves = Moments.of(values[:5]) + Moments.of(values[5:])
    assert halves.std_dev == pytest.approx(np.arange(10.0).std())


def test_ages_are_counted_from_the_newest_value_wherever_it_stands():
    days = pa.array([2, 0, 1, 9], pa.int64())
    table = pa.table({"t": pa.array((days.to_numpy() * 86_400_000_000), pa.timestamp("us", "UTC"))})
    found = read_facts([Column("t", "feature", "timestamp", "float64")], cut(table, 1), times=None)["t"]
    assert (found.numbers.low, found.numbers.high) == (0.0, 9.0)


def test_more_columns_than_are_read_in_one_go_are_all_described_in_their_order():
    names = [f"x{n}" for n in range(COLUMNS_AT_ONCE + 1)]
    columns = [Column(name, "feature", "numeric", "float64") for name in names]
    found = read_facts(columns, cut(pa.table({name: [float(n)] for n, name in enumerate(names)}), 9), times=None)
    assert [facts.numbers.total for facts in found.values()] == [float(n) for n in range(len(names))]


@pytest.mark.parametrize("levels", [LEVELS_DESCRIBED, LEVELS_DESCRIBED + 1])
def test_of_very_many_levels_the_most_frequent_are_told_and_none_is_demanded(levels):
    words = [f"w{n:06d}" for n in range(levels)] + ["w000007"]
    facts = read_facts([LEVEL], cut(pa.table({"c": words}), 4000), times=None)
    (told,) = baseline_statistics(facts, rows=len(words))["features"]
    assert told["string_statistics"]["distinct_count"] == levels
    buckets = told["string_statistics"]["distribution"]["categorical"]["buckets"]
    assert len(buckets) == LEVELS_DESCRIBED
    assert {"value": "w000007", "count": 2} in buckets
    (asked,) = baseline_constraints(facts, CONFIG)["features"]
    assert ("string_constraints" in asked) == (levels == LEVELS_DESCRIBED)
