from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kedge.backtest.window import HistoryWindow, judge_window
from kedge.drift.report import judge_drift
from kedge.outcomes.counts import count_outcomes
from kedge.outcomes.outcomes import Outcomes
from kedge.performance.window import LabelledOutcomes, judge_performance
from kedge.profile.counting import count_rows
from kedge.quality.window import QualityEvidence, QualityReference, judge_quality
from kedge.severity import Severity
from tests.builders import END, START, make_baseline, make_config, make_window

OK, WARNING, CRITICAL, BLIND = Severity.OK, Severity.WARNING, Severity.CRITICAL, Severity.INSUFFICIENT_DATA
SINCE = datetime(2016, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


def answered(*, rows=1000, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 2, rows)
    labels = (scores + noise * rng.normal(size=rows) > 0.5).astype(np.int64)
    return count_outcomes(Outcomes("binary_classification", scores, labels, ("0", "1")), make_config())


def labelled(outcomes, unlabelled=0):
    return QualityEvidence(LabelledOutcomes(outcomes, unlabelled, "")) if outcomes else QualityEvidence()


def judge_one(baseline, reference, window, config):
    quality = judge_quality(window.evidence, QualityReference(reference), config)
    return judge_window(baseline, window, config, quality=quality)


def test_a_window_is_judged_by_the_very_functions_of_production():
    config = make_config()
    baseline = make_baseline(config)
    profile = count_rows(baseline, make_window(shift=1.0))
    reference, now = answered(rows=5000), answered(noise=3.0, seed=1)
    found = judge_one(baseline, reference, HistoryWindow(START, END, profile, labelled(now, 7)), config)
    drift = judge_drift(baseline, profile, config, start=START, end=END, design_effects={})
    performance = judge_performance(LabelledOutcomes(now, 7, ""), reference, config.performance)
    assert (found.drift, found.quality.verdicts.measured, found.loss) == (drift.severity, CRITICAL, True)
    assert found.quality.measured.metrics == performance.metrics
    assert found.quality.measured.coverage_fraction == performance.coverage_fraction == 1000 / 1007
    assert found.drifted[0] == "weight"
    assert found.reasons[0].startswith("quality is lost")
    assert drift.reasons[0] in found.reasons


@pytest.mark.parametrize(
    ("outcomes", "loss"),
    [(None, None), (answered(rows=20), None), (answered(seed=2), False), (answered(noise=3.0), True)],
)
def test_loss_is_true_false_or_not_measured(outcomes, loss):
    config = make_config()
    baseline = make_baseline(config)
    window = HistoryWindow(START, END, count_rows(baseline, make_window(rows=2000)), labelled(outcomes))
    found = judge_one(baseline, answered(rows=5000), window, config)
    assert found.loss is loss
    assert found.learnable_rows == (2000 if outcomes is None else outcomes.rows)


def test_where_quality_holds_the_reasons_begin_with_the_drift():
    config = make_config()
    baseline = make_baseline(config)
    window = HistoryWindow(START, END, count_rows(baseline, make_window(shift=1.0)), labelled(answered(seed=2)))
    found = judge_one(baseline, answered(rows=5000), window, config)
    assert found.reasons[0].startswith("weight")
    assert found.reasons[-1].startswith("quality holds")


def test_settings_that_differ_in_their_limits_alone_share_one_measure():
    config = make_config()
    baseline = make_baseline(config)
    window = HistoryWindow(START, END, count_rows(baseline, make_window(shift=1.0)))
    measured = window.measured(baseline, config)
    assert window.measured(baseline, make_config("drift: {rule: psi, psi_max: 3.0}")) is measured
    other = window.measured(baseline, make_config("drift: {minimum_rows: 100000}"))
    assert [one.measured for one in other.columns.own] == [None] * len(measured.columns.own)
