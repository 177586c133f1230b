import numpy as np
import pyarrow as pa
import pytest
from scipy.signal import lfilter

from kedge.columns.casting import Column
from kedge.profile.row_order import RowOrder

COLUMNS = (Column("x", "feature", "numeric", "float64"), Column("c", "feature", "categorical", "string"))


def order_of(x, c, batch=100):
    order = RowOrder(COLUMNS)
    for part in pa.table({"x": x, "c": c}).to_batches(max_chunksize=batch):
        order.add(part)
    return order.sorted_columns


def rows(seed=0, size=2000):
    rng = np.random.default_rng(seed)
    return rng.normal(size=size), rng.choice(list("abcd"), size)


@pytest.mark.parametrize("direction", [1, -1])
def test_numbers_that_go_one_way_are_sorted_also_with_gaps_and_infinities(direction):
    x, c = rows()
    x[::50], x[-40:] = np.nan, np.inf
    assert order_of(direction * np.sort(x), c) == ("x",)


def test_levels_in_one_run_each_are_sorted_whatever_their_order():
    x, c = rows()
    assert order_of(x, np.sort(c)) == ("c",)
    assert order_of(x, np.repeat(["d", "a", "c", "b"], 500), batch=500) == ("c",)
    assert order_of(x, np.repeat(["d", "a", "d", "b"], 500)) == ()


def test_rows_of_two_sorted_files_are_sorted_and_a_few_astray_do_not_matter():
    x, c = rows()
    halves = np.concatenate([np.sort(x[:1000]), np.sort(x[1000:])])
    halves[[300, 900, 1500]] = 9.0
    assert order_of(halves, c) == ("x",)


@pytest.mark.parametrize("rho", [0.0, 0.9, 0.999])
def test_numbers_that_remember_each_other_are_not_sorted_however_slowly_they_change(rho):
    x, c = rows()
    assert order_of(lfilter([1], [1, -rho], x), c) == ()


def test_a_clock_that_begins_anew_is_not_sorted():
    _, c = rows()
    assert order_of(np.arange(2000.0) % 60, c) == ()


def test_what_never_changes_is_not_sorted_by():
    assert order_of(np.ones(2000), ["a"] * 2000) == ()
    assert order_of(np.full(2000, np.nan), pa.nulls(2000, pa.string())) == ()


def test_users_or_sessions_of_a_few_rows_are_no_order():
    x, _ = rows(size=4000)
    assert order_of(x, np.repeat(np.arange(2000), 2).astype(str)) == ()
