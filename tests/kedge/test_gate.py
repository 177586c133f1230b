"""The gate: paired, beyond chance, and by at least the minimum effect."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kedge.gate import judge_challenger, paired_auc_difference
from kedge.model_config import GatePolicy


def holdout(seed, rows=3_000, *, gain=0.0):
    """Labels, the challenger's and the champion's correlated scores; `gain` is the challenger's better signal."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(np.int64)
    shared = rng.normal(size=rows) + 1.2 * labels
    champion = shared + rng.normal(scale=0.5, size=rows)
    challenger = shared + gain * labels + rng.normal(scale=0.5, size=rows)
    return labels, 1 / (1 + np.exp(-challenger)), 1 / (1 + np.exp(-champion))


def test_paired_difference_is_scikit_learns_with_the_bootstraps_error():
    labels, challenger, champion = holdout(1, 800, gain=0.2)
    value, error = paired_auc_difference(labels, challenger, champion)
    assert value == pytest.approx(roc_auc_score(labels, challenger) - roc_auc_score(labels, champion), abs=1e-12)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        rows = rng.integers(0, len(labels), len(labels))
        draws.append(roc_auc_score(labels[rows], challenger[rows]) - roc_auc_score(labels[rows], champion[rows]))
    assert error == pytest.approx(np.std(draws), rel=0.15)


def test_a_better_challenger_passes():
    report = judge_challenger(*holdout(2, gain=0.5), GatePolicy())
    assert report.verdict == "PASS"
    row = next(row for row in report.rows if row.gate == "auc_improvement")
    assert row.low > 0
    assert row.value >= 0.01


def test_equal_challengers_are_refused_nearly_always():
    verdicts = [judge_challenger(*holdout(seed, 1_500), GatePolicy()).verdict for seed in range(200)]
    assert verdicts.count("PASS") <= 6


def test_a_certain_but_tiny_gain_is_refused():
    labels, _, champion = holdout(3, 60_000)
    challenger = champion + 0.004 * labels
    report = judge_challenger(labels, np.clip(challenger, 0, 1), champion, GatePolicy())
    row = next(row for row in report.rows if row.gate == "auc_improvement")
    assert row.low > 0
    assert report.verdict == "REFUSE"


def test_gate_rejects_challenger_worse_on_any_slice():
    labels, challenger, champion = holdout(4, 4_000, gain=2.0)
    rng = np.random.default_rng(44)
    groups = rng.random(4_000) < 0.08
    challenger = np.where(groups, rng.uniform(0.35, 0.55, 4_000), challenger)
    report = judge_challenger(labels, challenger, champion, GatePolicy(), slices={"market_segment=Groups": groups})
    assert report.verdict == "REFUSE"
    assert "market_segment=Groups" in report.reasons[0]


def test_answers_that_are_no_probabilities_are_refused():
    labels, challenger, champion = holdout(5, gain=0.5)
    challenger[7] = np.nan
    report = judge_challenger(labels, challenger, champion, GatePolicy())
    assert report.verdict == "REFUSE"
    assert report.reasons == ("1 of 3000 answers of the challenger are not between 0 and 1",)


def test_too_few_rows_or_one_class_are_refused():
    labels, challenger, champion = holdout(6, 150, gain=0.5)
    assert judge_challenger(labels, challenger, champion, GatePolicy()).verdict == "REFUSE"
    assert judge_challenger(np.zeros(500, np.int64), np.full(500, 0.1), None, GatePolicy()).verdict == "REFUSE"


def test_the_first_package_must_beat_chance():
    labels, challenger, _ = holdout(7)
    assert judge_challenger(labels, challenger, None, GatePolicy()).verdict == "PASS"
    rng = np.random.default_rng(7)
    assert judge_challenger(labels, rng.random(len(labels)), None, GatePolicy()).verdict == "REFUSE"
