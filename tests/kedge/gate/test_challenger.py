"""The gate: paired, beyond chance, and by at least the minimum effect."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from kedge.gate import every_check
from kedge.gate.every_check import judge_challenger
from kedge.gate.holdout import GateRow, Holdout
from kedge.performance.paired import paired_auc_difference
from tests.builders import make_config


def judge(labels, challenger, champion, *, problem="binary_classification", **more):
    classes = [str(code) for code in range(int(labels.max()) + 1)] if problem.startswith("multiclass") else ["0", "1"]
    config = make_config(f"problem: {problem}\nlabels: {{classes: {classes}}}")
    table = pa.table({"label": labels.astype(str)})
    return judge_challenger(Holdout(labels, challenger, champion, config, table, **more))


def holdout(seed, rows=3_000, *, gain=0.0):
    """Labels, the challenger's and the champion's correlated scores; `gain` is the challenger's better signal."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(np.int64)
    shared = rng.normal(size=rows) + 1.2 * labels
    champion = shared + rng.normal(scale=0.5, size=rows)
    challenger = shared + gain * labels + rng.normal(scale=0.5, size=rows)
    return labels, 1 / (1 + np.exp(-challenger)), 1 / (1 + np.exp(-champion))


def row_of(report, gate):
    return next(row for row in report.rows if row.gate == gate)


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
    report = judge(*holdout(2, gain=0.5))
    assert report.verdict == "PASS"
    row = next(row for row in report.rows if row.gate == "auc_improvement")
    assert row.low > 0
    assert row.value >= 0.01


def test_equal_challengers_are_refused_nearly_always():
    verdicts = [judge(*holdout(seed, 1_500)).verdict for seed in range(200)]
    assert verdicts.count("PASS") <= 6


def test_a_certain_but_tiny_gain_is_refused():
    labels, _, champion = holdout(3, 60_000)
    challenger = champion + 0.004 * labels
    report = judge(labels, np.clip(challenger, 0, 1), champion)
    row = next(row for row in report.rows if row.gate == "auc_improvement")
    assert row.low > 0
    assert report.verdict == "REFUSE"


def test_gate_rejects_challenger_worse_on_any_slice():
    labels, challenger, champion = holdout(4, 4_000, gain=2.0)
    rng = np.random.default_rng(44)
    groups = rng.random(4_000) < 0.08
    challenger = np.where(groups, rng.uniform(0.35, 0.55, 4_000), challenger)
    report = judge(labels, challenger, champion, slices={"market_segment=Groups": groups})
    assert report.verdict == "REFUSE"
    assert "market_segment=Groups" in report.reasons[0]


def test_answers_that_are_no_probabilities_are_refused():
    labels, challenger, champion = holdout(5, gain=0.5)
    challenger[7] = np.nan
    report = judge(labels, challenger, champion)
    assert report.verdict == "REFUSE"
    assert report.reasons == ("1 of the challenger's 3,000 answers is not between 0 and 1",)


def test_too_few_rows_or_one_class_are_refused():
    labels, challenger, champion = holdout(6, 150, gain=0.5)
    assert judge(labels, challenger, champion).verdict == "REFUSE"
    assert judge(np.zeros(500, np.int64), np.full(500, 0.1), None).verdict == "REFUSE"


def test_the_first_package_must_beat_chance():
    labels, challenger, _ = holdout(7)
    assert judge(labels, challenger, None).verdict == "PASS"
    rng = np.random.default_rng(7)
    assert judge(labels, rng.random(len(labels)), None).verdict == "REFUSE"


def test_several_classes_are_compared_by_paired_accuracy():
    rng = np.random.default_rng(8)
    labels = rng.choice(3, 3_000)
    champion = np.where(rng.random(3_000) < 0.7, labels, (labels + 1) % 3)
    better = np.where(rng.random(3_000) < 0.5, labels, champion)
    report = judge(labels, better, champion, problem="multiclass_classification")
    row = next(row for row in report.rows if row.gate == "accuracy_improvement")
    assert row.value == pytest.approx((better == labels).mean() - (champion == labels).mean())
    assert report.verdict == "PASS"
    worse = judge(labels, champion, better, problem="multiclass_classification")
    assert worse.verdict == "REFUSE"


def test_a_regression_must_lower_the_champions_error_by_a_fraction_of_it():
    rng = np.random.default_rng(9)
    labels = 1_000 * rng.normal(size=20_000)
    champion = labels + 100 * rng.normal(size=20_000)
    for share, verdict in ((0.9, "PASS"), (0.995, "REFUSE")):
        challenger = labels + share * (champion - labels)
        report = judge(labels, challenger, champion, problem="regression")
        assert report.verdict == verdict, share
        assert row_of(report, "mae_improvement").low > 0


@pytest.mark.parametrize(
    ("problem", "labels", "good"),
    [
        ("multiclass_classification", np.repeat([0, 1, 2], [600, 200, 200]), np.repeat([0, 1, 2], [600, 200, 200])),
        ("regression", np.arange(1_000.0), np.arange(1_000.0) + 3),
    ],
)
def test_the_first_package_of_any_kind_must_beat_a_constant(problem, labels, good):
    constant = np.zeros(1_000, np.int64) if problem != "regression" else np.full(1_000, 499.0)
    assert judge(labels, good, None, problem=problem).verdict == "PASS"
    assert judge(labels, constant, None, problem=problem).verdict == "REFUSE"


def test_answers_that_are_none_of_the_classes_or_no_numbers_are_refused():
    labels = np.repeat([0, 1, 2], 200)
    strange = judge(labels, np.where(labels == 2, -2, labels), labels, problem="multiclass_classification")
    assert strange.reasons == ("200 of the challenger's 600 answers are not among the model's classes",)
    numbers = labels.astype(float)
    broken = np.where(labels == 2, np.nan, numbers)
    assert judge(numbers, broken, numbers, problem="regression").verdict == "REFUSE"


def test_a_challenger_that_mends_lost_calibration_passes_without_ranking_better():
    rng = np.random.default_rng(10)
    truth = rng.beta(2, 3, 6_000)
    labels = (rng.random(6_000) < truth).astype(np.int64)
    report = judge(labels, truth, truth * 0.3)
    assert report.verdict == "PASS"
    assert "the champion's mean score is 0.28" in row_of(report, "auc_improvement").reason
    assert "brier 0.302 -> 0.2 (better)" in row_of(report, "auc_improvement").reason
    assert judge(labels, truth * 0.3, truth * 0.3).verdict == "REFUSE"
    assert judge(labels, rng.random(6_000), truth * 0.3).verdict == "REFUSE"


def test_the_constant_that_a_first_package_must_beat_is_one_that_could_have_been_learnt():
    """Prices have risen since the training rows: nobody could have answered the holdout's median."""
    rng = np.random.default_rng(21)
    learnt, now = rng.normal(100, 10, 5_000), rng.normal(130, 10, 1_000)
    # Half of what a row costs more is seen in its columns.
    answers = 115 + 0.2 * (now - 130)
    verdicts = [judge(now, answers, None, problem="regression", learnt=known).verdict for known in (learnt, None)]
    assert verdicts == ["PASS", "REFUSE"]
    late = np.full(1_000, np.median(learnt))
    assert judge(now, late, None, problem="regression", learnt=learnt).verdict == "REFUSE"


def test_an_error_that_rises_is_told_with_both_values_and_as_worse():
    rng = np.random.default_rng(4)
    truth = rng.gamma(3, 20, 1_000)
    champion, challenger = truth + rng.normal(0, 10, 1_000), truth + rng.normal(0, 30, 1_000)
    (reason,) = judge(truth, challenger, champion, problem="regression").reasons
    before, after = (f"{np.abs(answers - truth).mean():.4g}" for answers in (champion, challenger))
    assert f" higher ({before} -> {after}, worse; interval +" in reason
    assert reason.endswith(" on 1,000 paired rows); the gate needs at most -0.08 and an interval below 0")


def test_what_passed_leads_with_what_was_measured():
    labels, challenger, champion = holdout(1, gain=0.6)
    report = judge(labels, challenger, champion)
    assert report.verdict == "PASS"
    assert report.reasons[0].startswith("auc ")
    assert "all 3,000 answers of the challenger are valid (between 0 and 1)" in report.reasons[1:]


def test_a_check_added_to_the_list_has_its_row_and_can_refuse(monkeypatch):
    def too_slow(holdout):
        return [GateRow("latency", 100.0, 250.0, "REFUSE", f"slow on {len(holdout.labels):,} rows")]

    monkeypatch.setattr(every_check, "FIGURES", (*every_check.FIGURES, too_slow))
    report = judge(*holdout(2, gain=0.5))
    assert (report.verdict, report.reasons) == ("REFUSE", ("slow on 3,000 rows",))
