import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.columns.casting import Column
from kedge.errors import BaselineMismatchError, ColumnAbsentError, EmptySampleError
from kedge.profile.baseline import Profile
from kedge.profile.bins import Bins
from kedge.profile.counting import count_rows, count_rows_by_hour
from kedge.profile.freezing import Fineness, freeze_baseline
from tests.builders import as_text, make_baseline, make_config, make_window

CONFIG = make_config()
BASELINE = make_baseline(CONFIG)
NUMBER = (Column("x", "feature", "numeric", "float64"),)
LEVEL = (Column("x", "feature", "categorical", "string"),)


def frozen(values, columns=NUMBER, **options):
    table = pa.table({"x": values})
    return freeze_baseline("m", "1", columns, table, table, **options)


def counted(baseline, values):
    return baseline.column(count_rows(baseline, pa.table({"x": values})), "x")


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 400), max_size=6), order=st.randoms(use_true_random=False))
def test_shards_in_any_order_give_the_whole_bit_for_bit(cuts, order):
    rows = make_window(rows=400, seed=3)
    marks = sorted({0, 400, *cuts})
    shards = [rows.slice(a, z - a) for a, z in itertools.pairwise(marks)]
    order.shuffle(shards)
    total = sum((count_rows(BASELINE, shard) for shard in shards), start=BASELINE.empty())
    assert total == count_rows(BASELINE, rows)
    assert total.counts.dtype == np.int64


@given(rows=st.lists(st.lists(st.integers(0, 2**40), min_size=3, max_size=3), min_size=3, max_size=3))
def test_adding_is_associative_and_commutative(rows):
    a, b, c = (Profile("1", 1, np.array(counts)) for counts in rows)
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a


def test_hours_add_up_to_the_day():
    rows = make_window(rows=500, seed=4)
    hours = np.random.default_rng(0).integers(0, 24, 500)
    by_hour = count_rows_by_hour(BASELINE, rows, hours)
    assert sum(by_hour.values(), start=BASELINE.empty()) == count_rows(BASELINE, rows)
    for hour, profile in by_hour.items():
        assert profile == count_rows(BASELINE, rows.filter(pa.array(hours == hour)))


def test_text_and_dictionaries_are_counted_as_the_values_they_hold():
    rows = make_window(rows=6000, seed=5)
    expected = count_rows(BASELINE, rows)
    assert count_rows(BASELINE, as_text(rows)) == expected
    coded = rows.set_column(2, "carrier", rows.column("carrier").dictionary_encode())
    assert count_rows(BASELINE, coded) == expected


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_many_rows_are_counted_as_few_are(seed):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(5000) < 0.1, rng.choice([np.nan, np.inf, -np.inf, 0.0], 5000), rng.normal(size=5000))
    baseline = frozen(rng.normal(size=3000).round(rng.integers(0, 6)))
    few = [count_rows(baseline, pa.table({"x": values[start : start + 500]})) for start in range(0, 5000, 500)]
    assert sum(few, start=baseline.empty()) == count_rows(baseline, pa.table({"x": values}))


def test_what_has_no_cell_is_counted_apart():
    found = counted(frozen([1.0, 2.0, 3.0]), ["2", "", "x", "inf", "-inf", "0", "9", None])
    assert (found.missing, found.unparsable, found.infinite, found.out_of_range) == (2, 1, 2, 2)
    assert found.cells.sum() == 3
    assert found.rows == 8


def test_levels_that_the_baseline_lacks_are_unseen_and_rare_ones_beyond_the_limit_share_a_cell():
    baseline = frozen(["a"] * 5 + ["b"] * 3 + ["c"], LEVEL, fineness=Fineness(maximum_levels=2))
    assert baseline.bins["x"].levels == ("a", "b")
    found = counted(baseline, ["a", "c", "new", "", None])
    assert (found.cells.tolist(), found.unseen, found.missing) == ([1, 0, 1], 1, 2)


@pytest.mark.parametrize(("levels", "spelt"), [(["true", "false"], ["True", "FALSE"]), (["1", "2"], ["1.0", "2.0"])])
def test_another_spelling_of_a_level_is_that_level(levels, spelt):
    assert counted(frozen(levels, LEVEL), spelt).cells.tolist() == [1, 1]


def test_each_value_that_many_rows_share_has_a_cell_of_its_own():
    rng = np.random.default_rng(6)
    baseline = frozen(np.where(rng.random(20_000) < 0.6, 0.0, rng.exponential(size=20_000)))
    nearly = [np.nextafter(0, 1), np.nextafter(0, -1)]
    at_zero = np.flatnonzero(counted(baseline, [0.0] * 7).cells)
    assert len(at_zero) == 1
    assert counted(baseline, nearly).cells[at_zero[0]] == 0
    assert len(baseline.bins["x"].edges) < 1100


def test_one_distinct_value_and_the_largest_float_are_fine():
    assert counted(frozen([7.0, 7.0]), [7.0, 6.0, 8.0]).cells.tolist() == [1, 1, 1]
    assert counted(frozen([-1.7976931348623157e308, 1.7976931348623157e308]), [0.0]).out_of_range == 0


def test_the_window_never_moves_the_edges():
    before = BASELINE.bins["weight"].edges.copy()
    count_rows(BASELINE, make_window(shift=50))
    assert (BASELINE.bins["weight"].edges == before).all()


def test_features_and_prediction_may_come_from_different_rows():
    rows = make_window(rows=900)
    holdout = make_window(rows=300, seed=8).select(["prediction"])
    baseline = freeze_baseline("parcels", "1", BASELINE.columns, rows.drop(["prediction"]), holdout)
    assert baseline.column(baseline.profile, "weight").rows == 900
    assert baseline.column(baseline.profile, "prediction").rows == 300


def test_a_profile_of_another_baseline_is_refused():
    other = frozen([1.0, 2.0])
    with pytest.raises(BaselineMismatchError):
        BASELINE.empty() + other.empty()
    with pytest.raises(BaselineMismatchError):
        BASELINE.column(Profile("2", 0, BASELINE.empty().counts), "weight")


def test_an_absent_column_is_named():
    with pytest.raises(ColumnAbsentError, match="carrier"):
        count_rows(BASELINE, make_window().drop(["carrier"]))


def test_a_baseline_without_values_is_refused_by_its_column():
    with pytest.raises(EmptySampleError, match="'x'"):
        frozen([None, "inf"])


@pytest.mark.parametrize("column", [NUMBER, LEVEL])
def test_a_window_without_any_value_is_all_missing(column):
    baseline = frozen(["1", "2"], column)
    for void in (pa.array([None] * 5000, pa.null()), [""] * 3, pa.array([np.nan] * 9)):
        found = counted(baseline, void)
        assert (found.missing, found.rows, int(found.cells.sum())) == (len(void), len(void), 0)


def test_a_common_value_and_few_decimals_count_as_any_other_rows_do():
    rng = np.random.default_rng(9)
    zeros = np.where(rng.random(9000) < 0.7, 0.0, rng.exponential(size=9000))
    prices = np.where(rng.random(9000) < 0.1, np.nan, rng.gamma(2, 5, 9000).round(2))
    for values in (zeros, prices, rng.integers(-3, 40, 9000)):
        baseline = frozen(values)
        table = pa.table({"x": values})
        codes = rng.integers(0, 3, 9000)
        assert sum(count_rows_by_hour(baseline, table, codes).values(), start=baseline.empty()) == baseline.profile
        small = [count_rows(baseline, table.slice(start, 1000)) for start in range(0, 9000, 1000)]
        assert sum(small, start=baseline.empty()) == baseline.profile


def test_an_empty_window_counts_to_nothing():
    assert count_rows(BASELINE, make_window(rows=1).slice(1)) == BASELINE.empty()


def test_no_levels_at_all_make_everything_unseen():
    assert counted(frozen([None, None], LEVEL), ["a", None]).unseen == 1
    assert Bins().cells == 0
