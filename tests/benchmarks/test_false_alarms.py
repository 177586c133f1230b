"""The study of false alarms simulates what it says, and tells what it counted."""

import numpy as np
import pytest
from scipy import stats

from benchmarks import false_alarms
from benchmarks.false_alarms import SIZES, Stream, Study
from benchmarks.simulated_rows import SCENARIOS, SHIFTED, config_of, sticky, table_of, walk


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_simulated_rows_remember_as_much_as_they_should(rho):
    rng = np.random.default_rng(1)
    values = walk(rng, 60_000, 2, rho)
    assert values.std(axis=0) == pytest.approx(1, abs=0.05)
    assert np.corrcoef(values[1:, 0], values[:-1, 0])[0, 1] == pytest.approx(rho, abs=0.02)
    levels = sticky(rng, 60_000, 500, rho)
    assert (levels[1:] == levels[:-1]).mean() == pytest.approx(rho, abs=0.02)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *SHIFTED], ids=lambda scenario: scenario.name)
def test_every_scenario_has_twenty_one_columns_with_a_yaml_that_fits(scenario):
    rng = np.random.default_rng(2)
    config, table = config_of(scenario, rng), table_of(scenario, rng, 50)
    assert set(table.column_names) == {*config.feature_names, "prediction"}
    assert table.num_columns == 21


def test_a_shift_that_nobody_misses_is_found_at_every_size():
    assert Study(SHIFTED[0], 1, seed=3, shift=2.0).hits() == {"effect": [1] * len(SIZES), "sensitive": [1] * len(SIZES)}


def test_runs_of_alarms_are_episodes():
    assert false_alarms.episodes([True, True, False, True, False, False, True]) == 3
    assert false_alarms.episodes([False, False]) == 0


def test_a_stream_is_judged_every_day():
    judged, alarms, begun = Stream(SCENARIOS[0], 1, seed=4).hits()
    assert (judged, alarms, begun) == (false_alarms.DAYS, 0, 0)


@pytest.mark.parametrize("hits", [0, 3, 399, 400])
def test_the_bound_is_that_of_clopper_and_pearson(hits):
    expected = stats.binomtest(hits, 400, alternative="less").proportion_ci(0.95, method="exact").high
    assert false_alarms.upper_bound(hits, 400) == pytest.approx(expected)


def test_the_worst_size_and_the_promised_shifts_are_the_figures():
    false = [Study(scenario, 400, 1) for scenario in SCENARIOS]
    quiet = [{"effect": [0, place, 1, 0], "sensitive": [9, 9, 9, 9]} for place in range(len(SCENARIOS))]
    power = [{"effect": [0, 390, 400, 400], "sensitive": [0, 10, 396, 400]} for _ in range(2 * len(SHIFTED))]
    found = false_alarms.figures(false, quiet, power)
    assert [figure.value for figure in found] == [1 / 400, 1 / 400, 2 / 400, 3 / 400, 4 / 400, 0.99, 0.975]
    assert all(figure.kept for figure in found)
    text = false_alarms.false_alarm_table(false, quiet)
    assert f"| {SCENARIOS[4].name} | effect | 0.00% (0.7%) | 1.00% (2.3%) | 0.25% (1.2%) | 0.00% (0.7%) |" in text
