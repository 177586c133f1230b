"""Loss judged from counts, against the rule that a person would apply with scikit-learn and the bootstrap."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge

from kedge.config.policies import PerformanceLimit, PerformancePolicy
from kedge.outcomes.binary import count_binary
from kedge.outcomes.multiclass import count_classes
from kedge.outcomes.regression import count_errors
from kedge.performance.window import LabelledOutcomes, judge_performance
from kedge.severity import Severity


def scored(seed, rows, strength=1.5, rate=0.3):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < rate).astype(np.int64)
    odds = np.log(rate / (1 - rate)) + strength * (rng.normal(size=rows) + strength * (labels - 0.5))
    return 1 / (1 + np.exp(-odds)), labels


def counted(*seed_and_rows, **changes):
    return count_binary(*scored(*seed_and_rows, **changes), threshold=0.5)


def judged(window, reference, *, unlabelled_rows=0, **changes):
    outcomes = LabelledOutcomes(window, unlabelled_rows, "given", provisional_rows=12)
    return judge_performance(outcomes, reference, PerformancePolicy(**changes))


def limited(metric, **limit):
    return (PerformanceLimit(metric=metric, **limit),)


def test_lost_quality_is_critical_and_equal_quality_is_not():
    reference = counted(4, 3_000)
    assert judged(counted(5, 2_000), reference).severity is Severity.OK
    report = judged(counted(6, 2_000, strength=0.6), reference)
    assert report.severity is Severity.CRITICAL
    assert report.verdicts["auc"].limit == pytest.approx(report.reference["auc"].value - 0.02)
    assert report.reasons[0].startswith("quality is lost: auc")


def test_undrifted_windows_never_claim_a_loss_against_a_large_reference():
    reference = counted(7, 20_000)
    verdicts = [judged(counted(seed, 600), reference).severity for seed in range(100, 250)]
    assert verdicts.count(Severity.CRITICAL) <= 1


def test_a_model_that_ranks_well_and_is_far_off_the_real_rate_has_failed():
    reference = counted(8, 5_000, rate=0.06)
    scores, labels = scored(9, 2_000, rate=0.4)
    window = count_binary(scores * 0.06 / scores.mean(), labels, threshold=0.5)
    report = judged(window, reference)
    assert report.metrics["auc"].value > report.reference["auc"].value - 0.02
    assert report.severity is Severity.CRITICAL
    assert "calibration_in_the_large" in report.reasons[0]
    assert "a recalibration corrects" in report.reasons[1]
    broken = judged(count_binary(np.full(2_000, 0.06), labels, threshold=0.5), reference)
    assert not any("recalibration" in reason for reason in broken.reasons), "its order is wrong too"


def test_a_base_rate_is_judged_where_it_is_asked_for_and_to_both_sides():
    reference = counted(10, 5_000, rate=0.3)
    for rate, wanted in ((0.3, Severity.OK), (0.5, Severity.CRITICAL), (0.1, Severity.CRITICAL)):
        window = counted(11, 2_000, rate=rate)
        assert judged(window, reference, limits=limited("base_rate", tolerance=0.1)).severity is wanted, rate


def test_nearer_to_the_real_rate_than_the_reference_is_no_fault():
    scores, labels = scored(12, 5_000)
    reference = count_binary(np.clip(scores + 0.15, 0, 1), labels, threshold=0.5)
    limits = limited("calibration_in_the_large", tolerance=0.1)
    report = judged(counted(13, 5_000), reference, limits=limits)
    assert report.limits_severity is Severity.OK
    assert "calibration_in_the_large" not in report.losses


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        ({"at_least": 0.99}, "CRITICAL"), ({"at_least": 0.1}, "OK"), ({"at_most": 0.1}, "CRITICAL"),
        ({"ratio": 0.5}, "OK"), ({"tolerance": 0.0}, "OK"),
    ],
)  # fmt: skip
def test_each_kind_of_limit_holds_or_breaks(limit, wanted):
    reference, window = counted(14, 4_000), counted(15, 4_000)
    assert judged(window, reference, limits=limited("recall", **limit)).severity.value == wanted


def test_a_value_beyond_a_limit_whose_interval_is_not_is_a_warning():
    window = counted(16, 400)
    value = window.metrics()["recall"].value
    report = judged(window, window, limits=limited("recall", at_least=value + 0.005))
    assert report.severity is Severity.WARNING
    assert "not clearly beyond" in report.reasons[0]


def test_the_worst_limit_is_the_windows_verdict_and_leads_the_reasons():
    reference, window = counted(17, 4_000), counted(18, 4_000, strength=0.6)
    limits = limited("accuracy", at_least=0.01) + limited("auc", tolerance=0.02)
    report = judged(window, reference, limits=limits)
    assert report.severity is Severity.CRITICAL
    assert [row["severity"] for row in report.to_json()["metrics"] if "limit" in row] == ["CRITICAL", "OK"]
    assert [reason for reason in report.reasons if "quality holds" in reason] == []


def test_one_class_judges_nothing_and_says_so():
    window = count_binary(np.full(500, 0.2), np.zeros(500, np.int64), threshold=0.5)
    report = judged(window, counted(1, 2_000))
    assert report.severity is Severity.INSUFFICIENT_DATA
    assert "0 positive" in report.reasons[0]
    assert "every label is of one class, negative" in report.notes[0]
    assert "auc" not in {row["name"] for row in report.to_json()["metrics"]}


def test_a_rare_class_leaves_calibration_to_be_judged():
    rng = np.random.default_rng(2)
    labels = np.zeros(4_000, np.int64)
    labels[:6] = 1
    reference = counted(19, 4_000, rate=0.05)
    report = judged(count_binary(rng.uniform(0.2, 0.4, 4_000), labels, threshold=0.5), reference)
    assert report.severity is Severity.CRITICAL
    assert "calibration_in_the_large" in report.reasons[0]
    assert "auc is not judged: 6 positive" in report.reasons[-1]


def test_answers_that_are_classes_are_judged_by_balanced_accuracy():
    reference, window = (
        count_binary((scores >= 0.5).astype(float), labels, threshold=0.5)
        for scores, labels in (scored(20, 4_000), scored(21, 4_000, strength=0.4))
    )
    report = judged(window, reference)
    assert report.severity is Severity.CRITICAL
    assert list(report.verdicts) == ["balanced_accuracy"]
    assert "not probabilities" in report.notes[0]


def test_few_labels_judge_nothing_below_the_coverage_asked_for():
    report = judged(counted(8, 900), counted(8, 900), unlabelled_rows=9_000)
    assert report.severity is Severity.INSUFFICIENT_DATA
    assert "9%" in report.reasons[0]
    assert report.to_json()["provisional_rows"] == 12


def test_a_metric_that_the_reference_lacks_is_named():
    decisions = count_binary(np.array([0.0, 1.0] * 500), np.array([0, 1] * 500), threshold=0.5)
    report = judged(counted(22, 900), decisions, limits=limited("brier", ratio=1.1))
    assert report.limits_severity is Severity.INSUFFICIENT_DATA
    assert report.reasons[-1] == "brier is not judged: it is undefined on the reference"


# What a person would call lost: the upper end of the 95 % bootstrap interval is below the reference less 0.02 (for an
# error: the lower end is above it times 1.1).


def bootstrapped(values_of, rows, rng):
    draws = [values_of(rng.integers(0, rows, rows)) for _ in range(100)]
    return np.quantile(draws, [0.025, 0.975])


def auc(labels, scores):
    """The share of pairs in order (Mann and Whitney, 1947): scikit-learn looks at its input anew in each of 4,000 draws."""
    of_ones = rankdata(scores)[labels == 1]
    return (of_ones.sum() - len(of_ones) * (len(of_ones) + 1) / 2) / (len(of_ones) * (len(labels) - len(of_ones)))


def found_and_claimed(truths, claims):
    truths, claims = np.array(truths), np.array(claims)
    assert truths.any()
    assert not truths.all()
    return (truths & claims).sum() / truths.sum(), (truths & claims).sum() / max(claims.sum(), 1)


def test_losses_of_a_two_class_model_are_found_by_the_rule_and_no_others():
    data = load_breast_cancer()
    rng = np.random.default_rng(0)
    train = rng.random(len(data.target)) < 0.5
    model = LogisticRegression(max_iter=5_000).fit(data.data[train][:, :3], data.target[train])
    rest, labels = data.data[~train][:, :3], data.target[~train]
    reference_rows = rng.integers(0, len(labels), 4_000)

    def scores_of(rows, noise):
        moved = rest[rows] + noise * rest.std(axis=0) * rng.normal(size=(len(rows), 3))
        return model.predict_proba(moved)[:, 1]

    reference = count_binary(scores_of(reference_rows, 0.0), labels[reference_rows], threshold=0.5)
    expected = reference.metrics()["auc"].value
    truths, claims = [], []
    for window in range(40):
        rows = rng.integers(0, len(labels), 600)
        scores, truth = scores_of(rows, [0.0, 0.3, 0.6, 1.0][window % 4]), labels[rows]
        high = bootstrapped(lambda r, t=truth, s=scores: auc(t[r], s[r]), 600, rng)[1]
        truths.append(high < expected - 0.02)
        report = judged(count_binary(scores, truth, threshold=0.5), reference, limits=limited("auc", tolerance=0.02))
        claims.append(report.severity is Severity.CRITICAL)
    recall, precision = found_and_claimed(truths, claims)
    assert recall >= 0.9
    assert precision >= 0.8


def test_losses_of_several_classes_are_found_by_the_rule_and_no_others():
    data = load_digits()
    rng = np.random.default_rng(1)
    train = rng.random(len(data.target)) < 0.5
    model = LogisticRegression(max_iter=500).fit(data.data[train], data.target[train])
    rest, labels = data.data[~train], data.target[~train]
    classes = tuple(map(str, range(10)))

    def answers_of(rows, noise):
        return model.predict(rest[rows] + noise * rng.normal(size=(len(rows), 64)))

    everything = np.arange(len(labels))
    reference = count_classes(answers_of(everything, 0.0), labels, classes)
    expected = reference.metrics()["accuracy"].value
    truths, claims = [], []
    for window in range(60):
        rows = rng.integers(0, len(labels), 500)
        right = answers_of(rows, [0.0, 1.5, 3.0, 4.0][window % 4])
        high = bootstrapped(lambda r, h=right == labels[rows]: h[r].mean(), 500, rng)[1]
        truths.append(high < expected - 0.02)
        claims.append(judged(count_classes(right, labels[rows], classes), reference).severity is Severity.CRITICAL)
    recall, precision = found_and_claimed(truths, claims)
    assert recall >= 0.9
    assert precision >= 0.8


def test_losses_of_a_regression_are_found_by_the_rule_and_no_others():
    data = load_diabetes()
    rng = np.random.default_rng(2)
    train = rng.random(len(data.target)) < 0.5
    model = Ridge(alpha=0.1).fit(data.data[train], data.target[train])
    rest, labels = data.data[~train], data.target[~train]

    def answers_of(rows, noise):
        return model.predict(rest[rows]) + noise * rng.normal(size=len(rows))

    everything = np.arange(len(labels))
    reference = count_errors(answers_of(everything, 0.0), labels)
    expected = reference.metrics()["mae"].value
    truths, claims = [], []
    for window in range(60):
        rows = rng.integers(0, len(labels), 400)
        answers = answers_of(rows, [0.0, 25.0, 40.0, 60.0][window % 4])
        low = bootstrapped(lambda r, t=labels[rows], a=answers: np.abs(a - t)[r].mean(), 400, rng)[0]
        truths.append(low > expected * 1.1)
        claims.append(judged(count_errors(answers, labels[rows]), reference).severity is Severity.CRITICAL)
    recall, precision = found_and_claimed(truths, claims)
    assert recall >= 0.9
    assert precision >= 0.8


def test_answers_for_the_other_class_are_said():
    scores, labels = np.tile([0.2, 0.8, 0.3, 0.9], 100), np.tile([1, 0, 1, 0], 100)
    reference = count_binary(scores, labels, threshold=0.5)
    notes = judged(counted(22, 900), reference).notes
    assert [note for note in notes if note.startswith("auc of the reference is 0, below one half")]
    right_way_round = count_binary(scores, 1 - labels, threshold=0.5)
    assert judged(counted(22, 900), right_way_round).notes == ()


@pytest.mark.parametrize(
    ("limits", "learnt"),
    [
        ((*limited("auc", tolerance=0.05), *limited("cost_per_thousand", at_most=9e3)), False),
        (limited("auc", tolerance=0.05), True),
    ],
)
@pytest.mark.parametrize("unknown", [None, 0.0])
def test_a_window_whose_costs_nobody_knows_is_not_ok(limits, learnt, unknown):
    def counts(seed, rows, cost):
        scores, labels = scored(seed, rows)
        return count_binary(scores, labels, threshold=0.5, costs=None if cost is None else np.full(rows, cost))

    reference = counts(4, 3_000, 20.0 if learnt else None)
    policy = {"limits": limits, "cost_column": "fee"}
    known, blind = (judged(counts(5, 2_000, cost), reference, **policy) for cost in (20.0, unknown))
    assert (known.severity, blind.severity) == (Severity.OK, Severity.INSUFFICIENT_DATA)
    assert blind.reasons[-1] == "costs are not judged: no measured row says its fee (performance.cost_column)"
    assert "cost_per_thousand" not in blind.metrics
    # What is lost is said all the same, and who judges no costs misses none.
    scores, labels = scored(6, 2_000, strength=0.6)
    assert judged(count_binary(scores, labels, threshold=0.5), reference, **policy).severity is Severity.CRITICAL
    assert judged(counts(5, 2_000, None), counts(4, 3_000, None), cost_column="fee").severity is Severity.OK
