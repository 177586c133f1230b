"""The one suite that each statistic must pass."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.errors import EmptySampleError
from kedge.statistics.every_statistic import DISTANCES, TESTS_OF_LEVELS, TESTS_OF_NUMBERS
from kedge.statistics.wasserstein import wasserstein_distance


def wasserstein(baseline, window):
    values = np.arange(len(baseline), dtype=np.float64) ** 2
    return wasserstein_distance(baseline, window, values[:-1] + 0.5, (values, values))


def part(test, place):
    return lambda b, w: test(b, w)[place]


TESTS = {**TESTS_OF_NUMBERS, **TESTS_OF_LEVELS}
STATISTICS = {
    **DISTANCES,
    **{f"{name}_statistic": part(test, 0) for name, test in TESTS.items()},
    "wasserstein_distance": wasserstein,
}
P_VALUES = {f"{name}_p_value": part(test, 1) for name, test in TESTS.items()}
each_statistic = pytest.mark.parametrize("statistic", STATISTICS.values(), ids=STATISTICS)
each_p_value = pytest.mark.parametrize("p_value", P_VALUES.values(), ids=P_VALUES)
counts = st.integers(1, 40).flatmap(
    lambda cells: st.lists(st.integers(0, 300), min_size=cells, max_size=cells).filter(any).map(np.array)
)


@st.composite
def equal_sizes(draw):
    """Two samples of one size over the same cells."""
    cells, rows = draw(st.integers(2, 25)), draw(st.integers(1, 400))
    seeds = draw(st.tuples(*[st.integers(0, 2**32 - 1)] * 2))
    sides = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        sides.append(rng.multinomial(rows, rng.dirichlet(np.full(cells, 0.3))))
    return sides


@each_statistic
@given(baseline=counts)
def test_identical_counts_mean_no_drift(statistic, baseline):
    assert statistic(baseline, baseline) == pytest.approx(0, abs=1e-9)


@each_p_value
@given(baseline=counts)
def test_identical_counts_have_a_p_value_of_one(p_value, baseline):
    assert p_value(baseline, baseline) == 1.0


@each_statistic
@given(seed=st.integers(0, 2**32 - 1))
def test_row_order_is_irrelevant(statistic, seed):
    rng = np.random.default_rng(seed)
    before, now = rng.integers(0, 6, 200), rng.integers(0, 6, 90)
    shuffled = rng.permutation(now)
    count = [np.bincount(rows, minlength=6) for rows in (before, now, shuffled)]
    assert statistic(count[0], count[1]) == statistic(count[0], count[2])


@each_statistic
@given(sizes=st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), cells=st.integers(1, 1000))
def test_disjoint_samples_stay_finite_and_show_drift(statistic, sizes, cells):
    baseline, window = np.zeros((2, 2 * cells), np.int64)
    baseline[:cells] = sizes[0]
    window[cells:] = sizes[1]
    found = statistic(baseline, window)
    assert math.isfinite(found)
    # Of a handful of rows in each cell nobody knows whether they are disjoint by chance: the correction takes it all.
    assert found > 0 or (statistic is DISTANCES["psi_bias_corrected"] and min(sizes) < 5)


@each_statistic
@pytest.mark.parametrize("empty", ["baseline", "window"])
def test_empty_input_raises(statistic, empty):
    sides = {"baseline": np.array([3, 4]), "window": np.array([4, 3])} | {empty: np.array([0, 0])}
    with pytest.raises(EmptySampleError, match=empty):
        statistic(**sides) if statistic in DISTANCES.values() else statistic(sides["baseline"], sides["window"])


@each_statistic
@given(pair=equal_sizes(), steps=st.integers(1, 8))
def test_mixing_in_more_of_a_second_population_never_lowers_the_statistic(statistic, pair, steps):
    baseline, other = pair
    mixed = [(steps - step) * baseline + step * other for step in range(steps + 1)]
    found = [statistic(steps * baseline, window) for window in mixed]
    assert all(after >= before - 1e-9 for before, after in itertools.pairwise(found))


@each_p_value
@pytest.mark.parametrize(("rows", "cells"), [((20_000, 1000), 400), ((6000, 3000), 12), ((1000, 1000), 60)])
def test_undrifted_data_keep_the_promised_false_alarm_rate(p_value, rows, cells):
    rng = np.random.default_rng(17)
    shares = rng.dirichlet(np.full(cells, 2.0))
    repeats = 1500
    found = np.array(
        [p_value(rng.multinomial(rows[0], shares), rng.multinomial(rows[1], shares)) for _ in range(repeats)]
    )
    for level in (0.01, 0.05):
        assert (found < level).mean() <= level + 3.5 * math.sqrt(level / repeats)


@each_p_value
@pytest.mark.parametrize("cells", [200, 1000])
def test_as_many_equal_levels_as_a_large_baseline_can_hold_keep_it_too(p_value, cells):
    # The rarest levels of a sample are rare by chance: pooled with each other they would seem to come back.
    rng = np.random.default_rng(23)
    shares, repeats = np.full(cells, 1 / cells), 600
    found = np.array([p_value(rng.multinomial(100_000, shares), rng.multinomial(1000, shares)) for _ in range(repeats)])
    for level in (0.01, 0.05):
        assert (found < level).mean() <= level + 3.5 * math.sqrt(level / repeats)


@each_p_value
def test_p_values_find_a_shift(p_value):
    rng = np.random.default_rng(5)
    shares = np.full(10, 0.1)
    moved = shares + np.linspace(-0.04, 0.04, 10)
    assert p_value(rng.multinomial(5000, shares), rng.multinomial(1000, moved)) < 1e-6
