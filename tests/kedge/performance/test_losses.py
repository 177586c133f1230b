"""Every measured metric beside its reference: a large and certain loss is named, and chance alone is not."""

import numpy as np
import pytest

from kedge.config.metrics import TABLE
from kedge.config.policies import PerformancePolicy
from kedge.intervals import Estimate
from kedge.outcomes.binary import count_binary
from kedge.outcomes.multiclass import count_classes
from kedge.outcomes.regression import count_errors
from kedge.performance.losses import judge_losses
from kedge.performance.window import LabelledOutcomes, judge_performance
from kedge.severity import Severity

BINARY = "binary_classification"


def judged(window, reference):
    return judge_performance(LabelledOutcomes(window, 0, "given"), reference, PerformancePolicy())


def binary(rng, rows, rate=0.3, strength=1.5):
    labels = (rng.random(rows) < rate).astype(np.int64)
    odds = np.log(rate / (1 - rate)) + strength * (rng.normal(size=rows) + strength * (labels - 0.5))
    return 1 / (1 + np.exp(-odds)), labels


def two_classes(rng, rows, rate=0.3):
    return count_binary(*binary(rng, rows, rate), threshold=0.5, costs=rng.lognormal(3, 1, rows))


def several_classes(rng, rows, classes=6):
    chances = np.exp(1.5 * rng.normal(size=(rows, classes)) - 0.4 * np.arange(classes))
    chances /= chances.sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(max=classes - 1).astype(np.int64)
    return count_classes(chances.argmax(axis=1), labels, tuple("abcdef"[:classes]), probabilities=chances)


def numbers(rng, rows, tail=None):
    truth = 10 + 2 * rng.normal(size=rows)
    return count_errors(truth + (rng.standard_t(tail, size=rows) if tail else rng.normal(size=rows)), truth)


def near(value, error=0.01, name="recall"):
    return {name: Estimate(name, value, error, value - 1.96 * error, value + 1.96 * error)}


@pytest.mark.parametrize(
    "make",
    [two_classes, lambda g, n: two_classes(g, n, 0.05), lambda g, n: two_classes(g, n, 0.9), several_classes, numbers,
     lambda g, n: numbers(g, n, tail=3)],
)  # fmt: skip
@pytest.mark.parametrize("rows", [120, 1000])
def test_of_undrifted_windows_less_than_one_in_a_hundred_is_told_of_a_loss(make, rows):
    rng = np.random.default_rng(rows)
    told = [bool(judged(make(rng, rows), make(rng, 2000)).losses) for _ in range(250)]
    assert sum(told) <= 0.01 * len(told)


def test_a_recall_that_is_lost_while_the_auc_holds_is_a_warning_that_names_it():
    rng = np.random.default_rng(1)
    scores, labels = binary(rng, 6000)
    reference = count_binary(scores, labels, threshold=0.5)
    scores, labels = binary(rng, 4000)
    report = judged(count_binary(scores * 0.6, labels, threshold=0.5), reference)
    assert report.verdicts["auc"].severity is Severity.OK
    assert report.severity is Severity.WARNING
    (said,) = (reason for reason in report.reasons if reason.startswith("recall "))
    before, now = report.reference["recall"], report.metrics["recall"]
    assert f"recall {before.value:.3f} -> {now.value:.3f}".rstrip("0") in said
    assert "(worse), interval " in said
    assert "; reference " in said
    (row,) = (row for row in report.to_json()["metrics"] if row["name"] == "recall")
    assert row["loss"]["fraction"] == pytest.approx(1 - now.value / before.value)


def test_no_loss_beside_the_limits_is_ever_critical_and_a_critical_window_stays_so():
    rng = np.random.default_rng(2)
    lost = judged(count_errors(rng.normal(size=900) * 9, rng.normal(size=900)), numbers(rng, 900))
    assert lost.severity is lost.limits_severity is Severity.CRITICAL
    assert {"mae", "rmse", "r2"} <= lost.losses.keys()
    # The limit has told of its own metric.
    assert sum(reason.startswith(("mae ", "quality is lost: mae ")) for reason in lost.reasons) == 1


def test_a_loss_that_is_certain_but_small_or_large_but_uncertain_is_not_told():
    assert judge_losses(near(0.55, 0.001), near(0.57, 0.001), BINARY, confidence=0.95) == {}
    assert judge_losses(near(0.26, 0.2), near(0.57, 0.01), BINARY, confidence=0.95) == {}
    assert [*judge_losses(near(0.26, 0.02), near(0.57, 0.01), BINARY, confidence=0.95)] == ["recall"]


def test_equal_and_better_metrics_and_those_that_a_side_lacks_are_no_loss():
    for window, reference in [(0.57, 0.57), (0.9, 0.57)]:
        assert judge_losses(near(window, 0.0), near(reference, 0.0), BINARY, confidence=0.95) == {}
    assert judge_losses(near(0.2), near(0.9, name="precision"), BINARY, confidence=0.95) == {}
    assert judge_losses(near(0.2), {}, BINARY, confidence=0.95) == {}


def test_a_rate_of_nothing_in_few_rows_is_uncertain_although_its_error_is_nothing():
    few = Estimate("recall", 0.0, 0.0, 0.0, 0.66)
    assert judge_losses({"recall": few}, near(0.57), BINARY, confidence=0.95) == {}


def test_a_loss_against_a_perfect_reference_has_no_fraction_and_is_told():
    found = judge_losses(near(0.3, name="brier"), near(0.0, 0.0, "brier"), BINARY, confidence=0.95)
    assert found["brier"].to_json().keys() == {"p_value_adjusted"}
    assert "a loss beyond chance" in found["brier"].reason


def test_a_bias_is_compared_with_the_size_of_errors_and_counts_only_away_from_zero():
    reference = near(0.0, 0.01, "bias") | near(2.0, 0.01, "rmse")
    for window, lost in [(0.3, []), (0.5, ["bias"]), (-0.5, ["bias"])]:
        assert [*judge_losses(near(window, 0.01, "bias"), reference, "regression", confidence=0.95)] == lost


def test_tiny_windows_and_windows_of_one_class_are_told_of_nothing():
    rng = np.random.default_rng(3)
    reference = two_classes(rng, 3000)
    for scores, labels in [(np.zeros(60), np.ones(60, int)), (np.full(500, 0.1), np.ones(500, int))]:
        report = judged(count_binary(scores, labels, threshold=0.5), reference)
        assert (report.severity, report.losses) == (Severity.INSUFFICIENT_DATA, {})


def test_every_measured_metric_with_a_better_side_has_a_size_from_which_its_loss_is_told():
    for metric in TABLE:
        assert (metric.notable is not None) == (metric.measured and metric.better != "same"), metric.name
