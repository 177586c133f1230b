"""The same numbers as scipy's and as the naive formulas, on the rows themselves."""

import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from kedge.cells import cell_values
from kedge.columns import Column
from kedge.profile import count_rows, freeze_baseline
from kedge.statistics.chi_square import chi_square, total_variation_certain
from kedge.statistics.holm import holm_adjusted
from kedge.statistics.jensen_shannon import jensen_shannon_distance
from kedge.statistics.kolmogorov_smirnov import ks_critical, ks_p_value, ks_statistic, ks_without_drift
from kedge.statistics.kullback_leibler import kullback_leibler_divergence
from kedge.statistics.psi import psi, psi_without_drift
from kedge.statistics.total_variation import total_variation_distance, total_variation_without_drift
from kedge.statistics.wasserstein import wasserstein_distance

X = (Column("x", "feature", "numeric", "float64"),)
# Ties, zero inflation, heavy tails and one distinct value all come of drawing from few and from many.
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, 1.0, -1.0, 0.1, 1e308, -1e308, 5e-324]),
)
samples = st.lists(numbers, min_size=1, max_size=80)
tables = st.integers(2, 20).flatmap(
    lambda cells: st.tuples(*[st.lists(st.integers(40, 400), min_size=cells, max_size=cells).map(np.array)] * 2)
)


def cells_of(before, now, **options):
    baseline = freeze_baseline("m", "1", X, pa.table({"x": before}), pa.table({"x": before}), **options)
    window = count_rows(baseline, pa.table({"x": now}))
    return [baseline.column(profile, "x").cells for profile in (baseline.profile, window)], baseline.bins["x"]


def naive_ks(before, now):
    """As scipy computes it; scipy itself divides by zero on its way to the p-value of two values."""
    values = np.concatenate([before, now])
    below = [np.searchsorted(np.sort(side), values, side="right") / len(side) for side in (before, now)]
    return np.abs(below[0] - below[1]).max()


def test_the_naive_ks_is_scipys():
    rng = np.random.default_rng(1)
    before, now = rng.integers(0, 30, 400), rng.integers(3, 33, 250)
    assert naive_ks(before, now) == pytest.approx(stats.ks_2samp(before, now, method="asymp").statistic, abs=1e-12)


@given(before=samples, now=samples)
def test_ks_from_counts_is_exact_where_each_baseline_value_has_its_own_cell(before, now):
    (b, w), _ = cells_of(before, now)
    assert ks_statistic(b, w) == pytest.approx(naive_ks(before, now), abs=1e-12)


@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "exponential"])
def test_ks_from_a_thousand_quantiles_is_within_a_thousandth(draw):
    rng = np.random.default_rng(3)
    before = getattr(rng, draw)(size=20_000)
    now = getattr(rng, draw)(size=5_000) * 1.1
    (b, w), _ = cells_of(before, now)
    exact = stats.ks_2samp(before, now, method="asymp").statistic
    assert exact - 1.5e-3 <= ks_statistic(b, w) <= exact + 1e-12


@given(
    rows=st.tuples(st.integers(20, 200_000), st.integers(20, 200_000)),
    exponent=st.floats(math.log(1e-8), math.log(0.2)),
)
def test_ks_p_value_is_within_five_percent_of_scipys(rows, exponent):
    effective = round(rows[0] * rows[1] / (rows[0] + rows[1]))
    statistic = float(stats.kstwo.isf(math.exp(exponent), effective))
    assert ks_p_value(statistic, *rows) == pytest.approx(float(stats.kstwo.sf(statistic, effective)), rel=0.05)


@given(rows=st.tuples(st.integers(20, 5000), st.integers(20, 5000)))
def test_ks_p_value_falls_as_the_statistic_grows(rows):
    found = [ks_p_value(statistic, *rows) for statistic in np.linspace(0, 1, 200)]
    assert found[0] == 1.0
    # The two forms meet at one half with a step of less than a hundredth.
    assert all(after <= before + 0.01 for before, after in itertools.pairwise(found))


def test_ks_critical_has_the_p_value_it_was_asked_for():
    assert ks_p_value(ks_critical(0.001, 50_000, 9_000), 50_000, 9_000) == pytest.approx(0.001, rel=0.05)


@given(pair=tables)
def test_chi_square_of_common_levels_is_scipys(pair):
    expected = stats.chi2_contingency(np.vstack(pair), correction=False)
    statistic, p_value = chi_square(*pair)
    if (pair[0] * min(pair[0].sum(), pair[1].sum()) / pair[0].sum()).min() >= 5:
        assert statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
        assert p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


def test_chi_square_sees_a_window_of_unseen_levels_only():
    statistic, p_value = chi_square(np.array([1000, 0]), np.array([0, 400]))
    assert statistic == pytest.approx(stats.chi2_contingency([[1000, 0], [0, 400]], correction=False).statistic)
    assert p_value < 1e-100


def test_one_row_of_an_unseen_level_is_no_proof():
    assert chi_square(np.array([50_000, 50_000, 0]), np.array([500, 499, 1]))[1] > 0.05


def test_total_variation_beyond_the_certain_one_is_always_significant():
    rng = np.random.default_rng(8)
    for _ in range(200):
        b, w = (rng.multinomial(rows, rng.dirichlet(np.full(6, 5.0))) for rows in (4000, 900))
        if total_variation_distance(b, w) >= total_variation_certain(6, 0.001, 4000, 900):
            assert chi_square(b, w)[1] < 0.001


@given(pair=tables)
def test_jensen_shannon_is_scipys(pair):
    assert jensen_shannon_distance(*pair) == pytest.approx(float(jensenshannon(*pair, base=2)), abs=1e-7)


@given(pair=tables)
def test_kullback_leibler_is_scipys_entropy(pair):
    b, w = pair
    assert kullback_leibler_divergence(b, w) == pytest.approx(float(stats.entropy(w + 0.5, b + 0.5)), abs=1e-12)


@given(pair=tables)
def test_psi_is_the_sum_of_both_divergences(pair):
    b, w = pair
    assert psi(b, w) == pytest.approx(
        kullback_leibler_divergence(b, w) + kullback_leibler_divergence(w, b), rel=1e-9, abs=1e-12
    )


@given(pair=tables)
def test_total_variation_is_the_largest_difference_over_all_sets_of_cells(pair):
    b, w = (side / side.sum() for side in pair)
    assert total_variation_distance(*pair) == pytest.approx(float((w - b).clip(min=0).sum()), abs=1e-12)


def test_wasserstein_is_scipys_to_within_a_cell():
    rng = np.random.default_rng(4)
    before, now = rng.normal(size=8000), rng.normal(0.3, 1.2, size=3000)
    (b, w), bins = cells_of(before, now)
    found = wasserstein_distance(b, w, cell_values(bins))
    assert found == pytest.approx(stats.wasserstein_distance(before, now), abs=5e-3)


def test_what_no_drift_shows_is_what_it_shows_on_average():
    rng = np.random.default_rng(6)
    shares = rng.dirichlet(np.full(30, 3.0))
    pairs = [(rng.multinomial(5000, shares), rng.multinomial(1500, shares)) for _ in range(400)]
    for statistic, expected in (
        (psi, psi_without_drift),
        (total_variation_distance, total_variation_without_drift),
    ):
        assert np.mean([statistic(*p) for p in pairs]) == pytest.approx(np.mean([expected(*p) for p in pairs]), rel=0.1)
    drawn = [stats.ks_2samp(rng.normal(size=3000), rng.normal(size=900)).statistic for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(ks_without_drift(3000, 900), rel=0.05)


@given(p_values=st.lists(st.floats(0, 1), min_size=0, max_size=30))
def test_holm_is_the_largest_of_the_stepped_up_p_values_so_far(p_values):
    order = np.argsort(p_values, kind="stable")
    naive = np.empty(len(p_values))
    for rank, place in enumerate(order):
        naive[place] = min(1.0, max(p_values[order[i]] * (len(p_values) - i) for i in range(rank + 1)))
    assert holm_adjusted(np.array(p_values, dtype=np.float64)) == pytest.approx(naive)
