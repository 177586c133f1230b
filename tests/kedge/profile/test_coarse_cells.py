"""Coarse cells hold about equal baseline rows, lose none, and stand still whatever the window holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.profile.bins import Bins
from kedge.profile.coarse_cells import coarse_starts, coarsen, median

counts = st.lists(st.integers(0, 500), min_size=1, max_size=200).filter(any).map(np.array)


@given(baseline=counts, cells=st.integers(1, 30))
def test_every_row_is_in_one_coarse_cell(baseline, cells):
    starts = coarse_starts(baseline, cells=cells)
    coarse = coarsen(baseline, starts)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    assert len(starts) <= cells
    assert coarse.sum() == baseline.sum()


@given(baseline=counts, cells=st.integers(1, 30))
def test_no_coarse_cell_is_empty_in_the_baseline(baseline, cells):
    assert (coarsen(baseline, coarse_starts(baseline, cells=cells)) > 0).all()


def test_many_values_give_ten_cells_of_a_tenth_each():
    baseline = np.random.default_rng(0).multinomial(100_000, np.full(1000, 0.001))
    coarse = coarsen(baseline, coarse_starts(baseline))
    assert len(coarse) == 10
    assert coarse / 100_000 == pytest.approx(np.full(10, 0.1), abs=0.002)


def test_a_value_that_most_rows_share_stays_whole():
    baseline = np.array([0, 10, 900, 20, 30, 40])
    coarse = coarsen(baseline, coarse_starts(baseline))
    assert 910 in coarse or 900 in coarse
    assert coarse.sum() == 1000


@given(values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60))
def test_the_median_is_the_numpy_median_where_each_value_has_a_cell(values):
    edges = np.unique(values)
    cells = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    assert median(cells, Bins(edges=edges)) == np.sort(values)[(len(values) - 1) // 2]
