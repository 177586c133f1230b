import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.columns.casting import Column
from kedge.profile.cell_sums import SumGrid
from kedge.profile.counting import count_rows
from kedge.profile.freezing import Fineness, freeze_baseline
from tests.kedge.profile.test_profile import counted, frozen

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def table_of(values):
    return pa.table({"x": values})


@given(low=FLOATS, high=FLOATS, values=st.lists(FLOATS, min_size=1, max_size=30))
def test_units_are_whole_and_bounded_whatever_the_range(low, high, values):
    units = SumGrid(min(low, high), max(low, high)).units(np.array(values))
    assert (units == np.rint(units)).all()
    assert np.abs(units).max() <= 2.0**34


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-300, 1e-9, 1.0, 1e9, 1e300]))
def test_a_cells_mean_is_its_rows_mean_to_a_millionth_of_the_range(seed, scale):
    rng = np.random.default_rng(seed)
    before, now = rng.normal(0, scale, 3000), rng.normal(scale, scale, 5000)
    baseline = frozen(before, fineness=Fineness(maximum_edges=20))
    edges, found = baseline.bins["x"].edges, counted(baseline, now)
    places = np.searchsorted(edges, now)
    for cell in np.flatnonzero(found.cells):
        assert found.means[cell] == pytest.approx(now[places == cell].mean(), abs=1e-6 * (edges[-1] - edges[0]))


def test_a_mean_cannot_leave_its_cell_and_an_empty_one_has_none():
    baseline = frozen([-1e308, 1.0, 1.5, 1e308])
    found = counted(baseline, [1.0, 1.0, 1.5])
    used = found.cells > 0
    assert np.isnan(found.means[~used]).all()
    assert found.means[used].tolist() == pytest.approx([1.0, 1.5], rel=1e-15)


def test_a_constant_column_has_a_unit_too():
    found = counted(frozen([7.0, 7.0]), [6.0, 7.0, 8.0])
    assert found.means.tolist() == pytest.approx([6.0, 7.0, 8.0], abs=1e-6)
    assert counted(frozen([0.0]), [0.0, 0.5]).means.tolist()[1:] == pytest.approx([0.0, 0.5])


def test_categories_have_no_means():
    column = (Column("x", "feature", "categorical", "string"),)
    assert counted(frozen(["a"], column), ["a"]).means.tolist() == []


def test_values_a_thousand_ranges_away_count_as_that_far_and_never_overflow():
    baseline = frozen(np.linspace(0, 1, 1000))
    assert counted(baseline, [300.0] * 5).means[-1] == pytest.approx(300.0, abs=1e-3)
    assert 1000 <= counted(baseline, [1e308] * 5).means[-1] <= 2100


def test_the_largest_sum_of_half_a_billion_rows_fits():
    grid = SumGrid(0.0, 1.0)
    assert int(grid.units(np.array([1e308]))[0]) * 500_000_000 < np.iinfo(np.int64).max


def test_means_of_a_sum_of_profiles_are_the_means_of_all_rows():
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=size).tolist() for size in (7, 1300, 4100)]
    baseline = frozen(parts[1])
    profiles = [count_rows(baseline, table_of(part)) for part in parts]
    whole = count_rows(baseline, table_of([x for part in parts for x in part]))
    assert sum(profiles, start=baseline.empty()) == whole


def test_float32_values_are_summed_as_they_are_declared():
    column = (Column("x", "feature", "numeric", "float32"),)
    table = table_of([0.1, 0.2, 0.3])
    baseline = freeze_baseline("m", "1", column, table, table)
    text = table_of(["0.1", "0.2", "0.3"])
    assert count_rows(baseline, text) == baseline.profile
