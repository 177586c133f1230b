"""Quality from counts, against scikit-learn on the rows themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kedge.model_config import PerformancePolicy
from kedge.performance import ScoreCounts, count_scores, judge_performance, metrics
from kedge.severity import Severity


def scored(seed, rows, strength=1.5):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(np.int64)
    scores = 1 / (1 + np.exp(-(rng.normal(size=rows) + strength * (labels - 0.5) - 0.8)))
    return scores, labels


def judged(window, reference, **changes):
    return judge_performance(
        window, reference, PerformancePolicy(**changes), provisional_rows=0, unlabelled_rows=0, horizon_reason="given"
    )


def test_metrics_equal_scikit_learns():
    scores, labels = scored(1, 5_000)
    found = metrics(count_scores(scores, labels, threshold=0.5))
    decided = scores >= 0.5
    expected = {
        "accuracy": sk.accuracy_score(labels, decided),
        "precision": sk.precision_score(labels, decided),
        "recall": sk.recall_score(labels, decided),
        "f1": sk.f1_score(labels, decided),
        "brier": sk.brier_score_loss(labels, scores),
        "log_loss": sk.log_loss(labels, scores),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-12), name
    assert found["auc"].value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-4)


def test_auc_interval_covers_the_bootstrap():
    scores, labels = scored(2, 1_000)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        rows = rng.integers(0, len(labels), len(labels))
        draws.append(sk.roc_auc_score(labels[rows], scores[rows]))
    assert metrics(count_scores(scores, labels, threshold=0.5))["auc"].standard_error == pytest.approx(
        np.std(draws), rel=0.12
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.integers(0, 10_000))
def test_counts_of_parts_add_up_to_the_counts_of_the_whole(cut, seed):
    scores, labels = scored(seed, 200)
    whole = count_scores(scores, labels, threshold=0.5)
    added = count_scores(scores[:cut], labels[:cut], threshold=0.5) + count_scores(
        scores[cut:], labels[cut:], threshold=0.5
    )
    assert (added.positive == whole.positive).all()
    assert (added.negative == whole.negative).all()
    assert added.true_positive == whole.true_positive
    assert added.squared_error == pytest.approx(whole.squared_error)


def test_counts_survive_json():
    counts = count_scores(*scored(3, 300), threshold=0.4)
    assert metrics(ScoreCounts.from_json(counts.to_json())) == metrics(counts)


def test_one_class_leaves_auc_undefined_and_judges_nothing():
    counts = count_scores(np.full(500, 0.2), np.zeros(500, np.int64), threshold=0.5)
    assert "auc" not in metrics(counts)
    report = judged(counts, count_scores(*scored(1, 2_000), threshold=0.5))
    assert report.severity is Severity.INSUFFICIENT_DATA
    assert "0 positive" in report.reasons[0]


def test_lost_quality_is_critical_and_equal_quality_is_not():
    reference = count_scores(*scored(4, 3_000), threshold=0.5)
    same, worse = scored(5, 2_000), scored(6, 2_000, strength=0.6)
    assert judged(count_scores(*same, threshold=0.5), reference).severity is Severity.OK
    report = judged(count_scores(*worse, threshold=0.5), reference)
    assert report.severity is Severity.CRITICAL
    assert report.limit == pytest.approx(report.reference["auc"].value - 0.02)


def test_undrifted_windows_seldom_claim_a_loss():
    reference = count_scores(*scored(7, 1_500), threshold=0.5)
    verdicts = [judged(count_scores(*scored(seed, 600), threshold=0.5), reference).severity for seed in range(100, 300)]
    assert verdicts.count(Severity.CRITICAL) <= 2


def test_few_labels_judge_nothing_below_the_coverage_asked_for():
    counts = count_scores(*scored(8, 900), threshold=0.5)
    report = judge_performance(
        counts, counts, PerformancePolicy(), provisional_rows=12, unlabelled_rows=9_000, horizon_reason="given"
    )
    assert report.severity is Severity.INSUFFICIENT_DATA
    assert "9%" in report.reasons[0]
    assert report.to_json()["provisional_rows"] == 12
