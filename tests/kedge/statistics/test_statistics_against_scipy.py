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

from kedge.columns.casting import Column
from kedge.profile.counting import count_rows
from kedge.profile.freezing import Fineness, freeze_baseline
from kedge.statistics.chi_square import chi_square, total_variation_certain
from kedge.statistics.g_test import g_test
from kedge.statistics.hellinger import hellinger_distance
from kedge.statistics.holm import holm_adjusted
from kedge.statistics.jensen_shannon import jensen_shannon_distance
from kedge.statistics.kolmogorov_smirnov import ks_critical, ks_p_value, ks_statistic, ks_without_drift
from kedge.statistics.kullback_leibler import kullback_leibler_divergence
from kedge.statistics.psi import psi, psi_bias_corrected, psi_without_drift
from kedge.statistics.total_variation import total_variation_distance, total_variation_without_drift
from kedge.statistics.wasserstein import wasserstein_distance

X = (Column("x", "feature", "numeric", "float64"),)
# Ties, zero inflation, heavy tails and one distinct value all come of drawing from few and from many.
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, 1.0, -1.0, 0.1, 1e308, -1e308, 5e-324]),
)
samples = st.lists(numbers, min_size=1, max_size=80)
plain = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60)
tables = st.integers(2, 20).flatmap(
    lambda cells: st.tuples(*[st.lists(st.integers(40, 400), min_size=cells, max_size=cells).map(np.array)] * 2)
)


def counted(before, now, **options):
    baseline = freeze_baseline("m", "1", X, pa.table({"x": before}), pa.table({"x": before}), **options)
    window = count_rows(baseline, pa.table({"x": now}))
    return [baseline.column(profile, "x") for profile in (baseline.profile, window)], baseline.bins["x"]


def cells_of(before, now, **options):
    sides, bins = counted(before, now, **options)
    return [side.cells for side in sides], bins


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


@given(
    before=st.lists(st.floats(-10, 10), min_size=2, max_size=60, unique=True),
    now=st.lists(st.floats(-10, 10), min_size=2, max_size=60),
    shift=st.sampled_from([0.0, 2.0, 6.0]),
)
def test_ks_of_small_samples_has_the_statistic_and_the_p_value_of_ks_2samp(before, now, shift):
    now = np.array(now) + shift
    expected = stats.ks_2samp(before, now, method="asymp")
    (b, w), _ = cells_of(before, now)
    assert ks_statistic(b, w) == pytest.approx(float(expected.statistic), abs=1e-12)
    if 1e-8 < expected.pvalue < 0.2:
        assert ks_p_value(ks_statistic(b, w), len(before), len(now)) == pytest.approx(float(expected.pvalue), rel=0.05)


AWKWARD = {
    "ties": lambda rng, rows: rng.integers(0, 7, rows).astype(float),
    "zero inflation": lambda rng, rows: np.where(rng.random(rows) < 0.9, 0.0, rng.exponential(size=rows)),
    "heavy tails": lambda rng, rows: rng.standard_cauchy(rows) ** 3,
    "one value": lambda rng, rows: np.full(rows, 7.0),
    "small numbers": lambda rng, rows: rng.normal(size=rows) * 1e-300,
}


@pytest.mark.parametrize("draw", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("rows", [(400, 12), (5000, 3000)])
@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_ks_of_awkward_values_with_exact_edges_is_ks_2samp(draw, rows, scale):
    rng = np.random.default_rng(9)
    before, now = draw(rng, rows[0]), draw(rng, rows[1]) * scale
    (b, w), _ = cells_of(before, now, fineness=Fineness(maximum_edges=2 * rows[0] + 2))
    expected = stats.ks_2samp(before, now, method="asymp")
    assert ks_statistic(b, w) == pytest.approx(float(expected.statistic), abs=1e-12)
    if 1e-8 < expected.pvalue < 0.2:
        assert ks_p_value(ks_statistic(b, w), *rows) == pytest.approx(float(expected.pvalue), rel=0.05)


def test_ks_leaves_out_what_is_no_finite_number():
    rng = np.random.default_rng(10)
    before, now = rng.normal(size=300), rng.normal(0.4, size=200)
    spoilt = np.concatenate([now, [np.nan, np.inf, -np.inf]])
    (b, w), _ = cells_of(before, spoilt, fineness=Fineness(maximum_edges=700))
    assert ks_statistic(b, w) == pytest.approx(float(stats.ks_2samp(before, now).statistic), abs=1e-12)


@pytest.mark.parametrize(
    "sizes", [(2, 3), (5, 5), (8, 8), (10, 1000), (40, 60), (1000, 1000), (2100, 2100), (100_000, 1100)]
)
def test_ks_p_value_is_scipys_over_the_whole_range(sizes):
    effective = round(sizes[0] * sizes[1] / sum(sizes))
    for statistic in np.linspace(0.2, 3.2, 120) / math.sqrt(effective):
        expected = float(stats.kstwo.sf(statistic, effective))
        if 1e-8 < expected < 0.2:
            assert ks_p_value(statistic, *sizes) == pytest.approx(expected, rel=0.05)


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


@given(pair=tables)
def test_g_of_common_levels_is_scipys_and_its_p_value_has_williams_correction(pair):
    expected = stats.chi2_contingency(np.vstack(pair), correction=False, lambda_="log-likelihood")
    statistic, p_value = g_test(*pair)
    if (pair[0] * min(pair[0].sum(), pair[1].sum()) / pair[0].sum()).min() >= 5:
        total, columns = sum(side.sum() for side in pair), sum(pair)
        sides = sum(total / side.sum() for side in pair) - 1
        correction = 1 + sides * ((total / columns).sum() - 1) / (6 * total * (len(columns) - 1))
        assert statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
        assert p_value == pytest.approx(stats.chi2.sf(expected.statistic / correction, len(columns) - 1), rel=1e-6)


@pytest.mark.parametrize("test", [chi_square, g_test])
def test_rows_in_bursts_count_once(test):
    rng = np.random.default_rng(11)
    shares = rng.dirichlet(np.full(12, 5.0))
    found = [
        test(rng.multinomial(20_000, shares), 10 * rng.multinomial(200, shares), design_effect=10.0)[1]
        for _ in range(800)
    ]
    assert np.mean(np.array(found) < 0.05) <= 0.05 + 3.5 * math.sqrt(0.05 / 800)
    assert np.mean(np.array(found) < 0.2) >= 0.05


def test_chi_square_and_g_of_ten_thousand_levels_are_quick_finite_and_quiet():
    rng = np.random.default_rng(12)
    shares = rng.dirichlet(np.full(10_000, 0.5))
    before, now, other = (
        rng.multinomial(200_000, shares),
        rng.multinomial(5000, shares),
        rng.multinomial(5000, shares[::-1]),
    )
    for test in (chi_square, g_test):
        assert test(before, now)[1] > 0.001
        assert test(before, other)[1] < 1e-12


@pytest.mark.parametrize("test", [chi_square, g_test])
def test_a_window_of_unseen_levels_only_is_seen(test):
    statistic, p_value = test(np.array([1000, 0]), np.array([0, 400]))
    assert math.isfinite(statistic)
    assert p_value < 1e-60


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
def test_hellinger_is_the_distance_of_the_roots(pair):
    b, w = (side / side.sum() for side in pair)
    naive = math.sqrt(max(1 - float(np.sqrt(b * w).sum()), 0))
    assert hellinger_distance(*pair) == pytest.approx(naive, abs=1e-7)
    assert hellinger_distance(*pair) ** 2 <= total_variation_distance(*pair) + 1e-12
    assert total_variation_distance(*pair) <= math.sqrt(2) * hellinger_distance(*pair) + 1e-12


@given(pair=tables)
def test_bias_corrected_psi_is_psi_less_the_mean_without_drift(pair):
    chance = (np.count_nonzero(pair[0]) - 1) * (1 / pair[0].sum() + 1 / pair[1].sum())
    assert psi_bias_corrected(*pair) == pytest.approx(max(psi(*pair) - chance, 0), abs=1e-12)


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


@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_cauchy"])
def test_wasserstein_is_scipys_to_within_what_a_cell_hides(draw):
    rng = np.random.default_rng(4)
    before, now = getattr(rng, draw)(size=8000), getattr(rng, draw)(size=3000) * 1.1 + 0.2
    sides, bins = counted(before, now)
    found = wasserstein_distance(sides[0].cells, sides[1].cells, bins.edges, (sides[0].means, sides[1].means))
    assert found == pytest.approx(stats.wasserstein_distance(before, now), abs=5e-3 * before.std())


@given(before=plain, shift=st.sampled_from([0.0, 0.5, 3.0, 1e5]))
def test_wasserstein_of_a_pure_shift_is_the_shift(before, shift):
    sides, bins = counted(before, np.array(before) + shift)
    found = wasserstein_distance(sides[0].cells, sides[1].cells, bins.edges, (sides[0].means, sides[1].means))
    # Sums are kept in units of the range, and values beyond a thousand ranges count as that far.
    scale = max(np.ptp(before), 1e-3 * shift)
    assert found <= shift * (1 + 1e-6) + 1e-6 * scale
    if shift < 500 * np.ptp(before):
        assert found == pytest.approx(shift, rel=1e-6, abs=1e-6 * scale)


@pytest.mark.parametrize(
    ("cells", "concentration", "rows"),
    [(30, 3.0, (5000, 1500)), (200, 5.0, (100_000, 1000)), (1000, 0.3, (2000, 1000)), (5000, 1.0, (5000, 5000))],
)
def test_what_no_drift_shows_of_total_variation_is_what_it_shows_on_average(cells, concentration, rows):
    rng = np.random.default_rng(6)
    shares = rng.dirichlet(np.full(cells, concentration))
    pairs = [(rng.multinomial(rows[0], shares), rng.multinomial(rows[1], shares)) for _ in range(150)]
    found, expected = (
        np.mean([statistic(*pair) for pair in pairs])
        for statistic in (total_variation_distance, total_variation_without_drift)
    )
    assert found == pytest.approx(expected, rel=0.02)


def test_what_no_drift_shows_of_psi_and_ks_is_what_they_show_on_average():
    rng = np.random.default_rng(6)
    shares = rng.dirichlet(np.full(30, 3.0))
    pairs = [(rng.multinomial(5000, shares), rng.multinomial(1500, shares)) for _ in range(400)]
    assert np.mean([psi(*p) for p in pairs]) == pytest.approx(np.mean([psi_without_drift(*p) for p in pairs]), rel=0.1)
    drawn = [stats.ks_2samp(rng.normal(size=3000), rng.normal(size=900)).statistic for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(ks_without_drift(3000, 900), rel=0.05)


def test_rows_in_bursts_differ_by_the_root_of_the_bursts_size_more():
    rng = np.random.default_rng(7)
    shares = rng.dirichlet(np.full(20, 3.0))
    pairs = [(9 * rng.multinomial(5000, shares), 9 * rng.multinomial(400, shares)) for _ in range(300)]
    expected = [total_variation_without_drift(*pair, design_effect=9.0) for pair in pairs]
    assert np.mean([total_variation_distance(*pair) for pair in pairs]) == pytest.approx(np.mean(expected), rel=0.03)


@given(p_values=st.lists(st.floats(0, 1), min_size=0, max_size=30))
def test_holm_is_the_largest_of_the_stepped_up_p_values_so_far(p_values):
    order = np.argsort(p_values, kind="stable")
    naive = np.empty(len(p_values))
    for rank, place in enumerate(order):
        naive[place] = min(1.0, max(p_values[order[i]] * (len(p_values) - i) for i in range(rank + 1)))
    assert holm_adjusted(np.array(p_values, dtype=np.float64)) == pytest.approx(naive)
