"""The label horizon, on delays that are still being observed."""

import numpy as np
import pytest

from kedge.labels.horizon import delay_distribution, label_horizon


def observed(rng, *, rows, days, delays):
    """Predictions spread over `days`, of which only those labels are seen that have arrived by now."""
    ages = rng.uniform(0, days, rows)
    seen = delays <= ages
    return delays[seen], ages[seen], seen


def test_young_rows_do_not_make_labels_look_fast():
    rng = np.random.default_rng(1)
    delays, ages, _ = observed(rng, rows=20_000, days=20, delays=rng.uniform(0, 8, 20_000))
    values, cumulative, longest = delay_distribution(delays, ages)
    median = values[np.searchsorted(cumulative, 0.5)]
    naive = np.median(delays)
    assert longest > 19
    assert abs(median - 4.0) < 0.15
    assert naive < 3.6


def test_horizon_waits_for_the_outcome_that_ripens_last():
    rng = np.random.default_rng(2)
    outcome = (rng.random(4_000) < 0.3).astype(int)
    truth = np.where(outcome == 1, 1.0, rng.choice([3.0, 5.0, 9.0], 4_000))
    delays, ages, seen = observed(rng, rows=4_000, days=28, delays=truth)
    horizon = label_horizon(delays, ages, outcome[seen], names=("stayed", "cancelled"))
    assert horizon.days == 9.0
    assert "the slowest class (stayed)" in horizon.reason
    rate_of_all = outcome[seen].mean()
    ages_of_all = rng.uniform(0, 28, 4_000)
    ripe = (ages_of_all >= horizon.days) & (truth <= ages_of_all)
    assert rate_of_all > 0.33, "unripe rows show a base rate that is not there"
    assert outcome[ripe].mean() == pytest.approx(0.3, abs=0.02)


def test_horizon_is_unknown_while_history_is_shorter_than_twice_the_delays():
    rng = np.random.default_rng(3)
    delays, ages, seen = observed(rng, rows=3_000, days=6, delays=rng.uniform(0, 9, 3_000))
    horizon = label_horizon(delays, ages, np.zeros(seen.sum(), int))
    assert horizon.days is None
    assert "still arrive" in horizon.reason


def test_horizon_of_few_or_no_labels_is_unknown_and_says_why():
    few = np.ones(5)
    assert "30 are needed" in label_horizon(few, few * 9, np.zeros(5, int)).reason
    assert label_horizon(few[:0], few[:0], np.zeros(0, int)).reason == "no labels yet"
