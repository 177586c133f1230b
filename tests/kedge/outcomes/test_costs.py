"""What wrong answers cost, by hand."""

import numpy as np
import pytest

from kedge.config.policies import PerformancePolicy
from kedge.intervals import z_of
from kedge.outcomes.binary import count_binary
from kedge.outcomes.costs import matrix_sums, sums_of
from kedge.outcomes.counts import measure
from kedge.outcomes.regression import count_errors

Z = z_of(0.95)


def test_a_cost_matrix_is_applied_to_the_counts():
    # 4 rows: a hit, a miss (100), a false alarm (5), a right no.
    counts = count_binary(np.array([0.9, 0.1, 0.8, 0.2]), np.array([1, 1, 0, 0]), threshold=0.5)
    found = measure(counts, PerformancePolicy(cost_matrix=((0.0, 5.0), (100.0, 0.0))))
    assert found["cost_per_thousand"].value == pytest.approx(1000 * 105 / 4)
    assert found["cost_adjusted_accuracy"].value == pytest.approx(1 - 105 / 210)


def test_a_matrix_with_gains_has_no_accuracy_of_costs():
    counts = count_binary(np.array([0.9, 0.1]), np.array([1, 0]), threshold=0.5)
    found = measure(counts, PerformancePolicy(cost_matrix=((0.0, 5.0), (100.0, -20.0))))
    assert found["cost_per_thousand"].value == pytest.approx(-10_000)
    assert "cost_adjusted_accuracy" not in found


def test_a_cost_column_weighs_each_row():
    scores, labels, costs = np.array([0.9, 0.1, 0.8]), np.array([1, 1, 0]), np.array([10.0, 30.0, 60.0])
    found = measure(count_binary(scores, labels, threshold=0.5, costs=costs), PerformancePolicy())
    assert found["cost_per_thousand"].value == pytest.approx(1000 * 90 / 3)
    assert found["cost_adjusted_accuracy"].value == pytest.approx(0.1)


def test_a_regressions_costs_are_by_the_unit_of_error():
    counts = count_errors(np.array([2.0, 5.0]), np.array([1.0, 1.0]), costs=np.array([3.0, 0.5]))
    found = measure(counts, PerformancePolicy())
    assert found["cost_per_thousand"].value == pytest.approx(1000 * (3 + 2) / 2)
    assert "cost_adjusted_accuracy" not in found


def test_the_matrix_is_the_sum_over_rows():
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    matrix = ((0.0, 1.0, 2.0), (4.0, 0.5, 3.0), (9.0, 7.0, 0.0))
    each = np.array(matrix)
    confusion = np.bincount(labels * 3 + answers, minlength=9).reshape(3, 3)
    by_row = sums_of(each[labels, answers], each.max(axis=1)[labels])
    assert vars(matrix_sums(confusion, matrix)) == pytest.approx(vars(by_row))


def test_intervals_cover_the_truth_as_often_as_they_promise():
    covered = [0, 0]
    for seed in range(400):
        rng = np.random.default_rng(seed)
        staked = rng.gamma(2.0, 10.0, 600)
        lost = staked * (rng.random(600) < 0.2)
        found = sums_of(lost, staked).metrics(Z, bounded=True)
        for place, (name, truth) in enumerate({"cost_per_thousand": 4000, "cost_adjusted_accuracy": 0.8}.items()):
            covered[place] += found[name].low <= truth <= found[name].high
    assert all(362 <= hits <= 396 for hits in covered), covered
