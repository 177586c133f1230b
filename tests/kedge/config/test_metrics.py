"""The table of metrics agrees with the formulas: each line has one, and no formula is without a line."""

import numpy as np
import pytest

from kedge.config import metrics
from kedge.config.metrics import ONE_VALUE, TABLE, Metric, direction, known_metrics, metrics_of
from kedge.config.policies import PerformanceLimit, PerformancePolicy
from kedge.estimation.estimators import fit_estimator
from kedge.outcomes.binary import count_binary
from kedge.outcomes.counts import measure
from kedge.outcomes.multiclass import count_classes
from kedge.outcomes.outcomes import Outcomes
from kedge.outcomes.regression import count_errors
from kedge.performance.limits import default_limits, judge_limit
from kedge.performance.measures import Truth
from kedge.performance.paired import improvement, metric_estimate, row_losses
from kedge.severity import Severity

RANDOM = np.random.default_rng(3)
ROWS = 600
CODES = RANDOM.integers(0, 2, ROWS)
SCORES = np.clip(0.5 * CODES + RANDOM.random(ROWS) / 2, 0, 1)
CLASSES = ("a", "b")
BY_CLASS = np.column_stack([1 - SCORES, SCORES])
NUMBERS = RANDOM.normal(10, 2, ROWS)
GUESSES = NUMBERS + RANDOM.normal(0, 1, ROWS)
COSTS = RANDOM.random(ROWS)
ANSWERED = {
    "binary_classification": Outcomes("binary_classification", SCORES, CODES, CLASSES),
    "multiclass_classification": Outcomes(
        "multiclass_classification", (SCORES > 0.5).astype(np.int64), CODES, CLASSES, BY_CLASS
    ),
    "regression": Outcomes("regression", GUESSES, NUMBERS, ()),
}
COUNTED = {
    "binary_classification": count_binary(SCORES, CODES, threshold=0.5, costs=COSTS),
    "multiclass_classification": count_classes(
        (SCORES > 0.5).astype(np.int64), CODES, CLASSES, probabilities=BY_CLASS, costs=COSTS
    ),
    "regression": count_errors(GUESSES, NUMBERS, costs=COSTS),
}
PROBLEMS = sorted(COUNTED)


def names(problem, flag):
    chosen = [metric for metric in metrics_of(problem) if getattr(metric, flag)]
    return {f"{m.name}{one}" for m in chosen for one in (CLASSES if m.each_class else ("",))}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_labels_show_what_the_table_says(problem):
    found = measure(COUNTED[problem], PerformancePolicy())
    assert set(found) == names(problem, "measured") == set(known_metrics(problem, CLASSES))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_answers_alone_let_expect_what_the_table_says(problem):
    outcomes = ANSWERED[problem]
    estimator = fit_estimator(outcomes, threshold=0.5)
    known = outcomes.probabilities
    assert set(estimator.estimate(estimator.count(outcomes.answers, known), 0.95)) == names(problem, "estimated")


@pytest.mark.parametrize("metric", [m for m in TABLE if m.gate], ids=lambda m: f"{m.problem} {m.name}")
def test_a_gate_metric_is_better_for_the_truth_itself_than_for_other_rows_answers(metric):
    labels = ANSWERED[metric.problem].labels
    name = f"{metric.name}{CLASSES[0]}" if metric.each_class else metric.name
    truth = Truth(labels, precision=0.9, costs=COSTS, places={one: place for place, one in enumerate(CLASSES)})
    value, error = improvement(name, truth, labels, labels[::-1])
    assert value > 4 * error


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_gate_metric_is_the_windows_own(problem):
    """Two ways to one figure: from counts that add, and from rows that pair."""
    answers, labels = ANSWERED[problem].answers, ANSWERED[problem].labels
    truth = Truth(labels, costs=COSTS, places={one: place for place, one in enumerate(CLASSES)})
    window = COUNTED[problem].metrics()
    compared = [name for name in metrics.gate_metrics(problem, CLASSES) if name in window]
    assert len(compared) >= 5
    for name in compared:
        value, error = metric_estimate(name, truth, answers)
        assert value == pytest.approx(window[name].value, rel=1e-3), name
        assert error == pytest.approx(window[name].standard_error, rel=0.15), name


@pytest.mark.parametrize("problem", PROBLEMS)
def test_one_metric_of_a_problem_ranks_its_features_by_the_loss_of_single_rows(problem):
    (metric,) = (one for one in metrics_of(problem) if one.ranks_features)
    labels = ANSWERED[problem].labels
    assert not row_losses(metric.name, labels, labels).any()


def test_a_name_is_better_the_same_way_in_every_problem():
    for metric in TABLE:
        assert {direction(metric.name)} == {m.better for m in TABLE if m.name == metric.name}
    assert len({(m.problem, m.name) for m in TABLE}) == len(TABLE)


def test_a_name_that_is_no_metric_has_no_direction():
    with pytest.raises(KeyError, match="revenue"):
        direction("revenue")
    assert "recall_" not in ONE_VALUE


@pytest.mark.parametrize("problem", PROBLEMS)
def test_default_limits_are_of_metrics_that_labels_show(problem):
    limits = default_limits(problem)
    assert limits
    assert {limit.metric for limit in limits} <= set(known_metrics(problem, CLASSES))


def test_a_new_line_is_known_to_all_that_reads_the_table(monkeypatch):
    """A regression metric needs its formula in kedge/outcomes/regression.py beside this line, and for the gate the loss of a row."""
    line = Metric("regression", "median_error", "lower", "label", limit={"ratio": 1.2}, gate=True)
    monkeypatch.setattr(metrics, "TABLE", (*TABLE, line))
    assert "median_error" in known_metrics("regression", ())
    assert default_limits("regression")[-1] == PerformanceLimit(metric="median_error", ratio=1.2)
    assert metrics.gate_metrics("regression")[-1] == "median_error"
    before, now = (measure(COUNTED["regression"], PerformancePolicy())[name] for name in ("mae", "rmse"))
    doubled = type(now)("median_error", 3 * before.value, 0.0, 3 * before.value, 3 * before.value)
    verdict = judge_limit(default_limits("regression")[-1], doubled, before, confidence=0.95)
    assert verdict.severity is Severity.CRITICAL
