"""One judge of a window's answers: each part by what is counted of it, and the verdicts that others ask."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from kedge.estimation.estimators import estimate_answers, fit_estimator
from kedge.estimation.report import WindowEstimates
from kedge.outcomes.counts import count_outcomes
from kedge.outcomes.outcomes import read_outcomes
from kedge.performance.business import window_figures
from kedge.performance.verdicts import QualityVerdicts
from kedge.performance.window import LabelledOutcomes
from kedge.quality.kept import KeptQuality
from kedge.quality.window import (
    EarlierWindows,
    QualityEvidence,
    QualityReference,
    WindowQuality,
    judge_quality,
)
from kedge.severity import Severity
from kedge.slices.counts import slice_reference
from kedge.slices.fairness import WindowRows, sensitive_counts
from kedge.slices.judgement import count_slices
from tests.builders import make_baseline, make_config, make_window

OK, WARNING, CRITICAL, BLIND = Severity.OK, Severity.WARNING, Severity.CRITICAL, Severity.INSUFFICIENT_DATA
START = datetime(2026, 1, 5, tzinfo=UTC)
PREDICTION, LABEL = "prediction", "label"


def labelled(seed, rows=6000, *, turned=False):
    table = make_window(rows=rows, seed=seed)
    scores = table.column(PREDICTION).to_numpy()
    labels = np.random.default_rng(seed).random(rows) < (1 - scores if turned else scores)
    return table.append_column(LABEL, pa.array(labels.astype(int)))


def counted(table, config):
    return count_outcomes(read_outcomes(table, PREDICTION, LABEL, config)[0], config)


def evidence_of(table, config, *, ripe=None, estimated=False):
    """All that can be counted of a window, as the functions count it."""
    ripe = np.ones(table.num_rows, bool) if ripe is None else ripe
    before, kept = labelled(1), table.filter(pa.array(ripe))
    reference = slice_reference(make_baseline(config, before), before, config)
    outcomes, _ = read_outcomes(kept, PREDICTION, LABEL, config)
    slices = count_slices(
        lambda names: [({name: kept.column(name) for name in names}, outcomes)],
        reference,
        config.segments,
        ruler=reference.ruler,
    )
    groups = sensitive_counts(WindowRows(table, PREDICTION, LABEL, ripe), config, reference.ruler.by_column)
    found = LabelledOutcomes(counted(kept, config), 0, "given", int((~ripe).sum()))
    figures = window_figures(table, PREDICTION, config, label=LABEL, ripe=ripe)
    estimates = estimates_of(table, config) if estimated else None
    return QualityEvidence(found, estimates, slices, tuple(groups), figures)


def estimates_of(table, config):
    estimator = fit_estimator(read_outcomes(labelled(1), PREDICTION, LABEL, config)[0], threshold=0.5)
    metrics, rows = estimate_answers(estimator, [table], PREDICTION, config)
    return WindowEstimates(estimator.method, metrics, rows, START, START + timedelta(days=7), metrics)


def judge(evidence, config, **options):
    return judge_quality(evidence, QualityReference(counted(labelled(1), config)), config, **options)


def test_a_window_like_the_reference_holds_and_has_no_shift():
    config = make_config("segments: {p_value_min: 0.0001}")
    quality = judge(evidence_of(labelled(2), config), config)
    assert quality.measured.severity is OK
    assert [segment for segment in quality.slices.segments if segment.severity is CRITICAL] == []
    assert (quality.slices.concept_drift.severity, quality.slices.concept_drift.shifts) == (OK, ())
    assert quality.to_json().keys() >= {"severity", "metrics", "segments", "concept_drift"}
    assert not quality.to_json().keys() & {"estimate", "fairness", "business"}


def test_what_is_not_counted_is_not_judged():
    assert judge(QualityEvidence(), make_config()) == WindowQuality()
    assert WindowQuality().verdicts == QualityVerdicts()
    assert judge_quality(evidence_of(labelled(2), make_config()), QualityReference(), make_config()).measured is None


def test_labels_that_are_not_ripe_judge_nothing_but_their_rows_decisions_count():
    table, config = labelled(2), make_config("fairness: {columns: [carrier]}")
    young = judge(evidence_of(table, config, ripe=np.zeros(table.num_rows, bool)), config)
    assert (young.measured.severity, young.measured.provisional_rows) == (BLIND, table.num_rows)
    assert (young.slices.segments, young.slices.concept_drift.severity) == ((), BLIND)
    (column,) = young.fairness
    assert sum(group.rows for group in column.groups) == table.num_rows
    assert not [group for group in column.groups if group.true_positive_rate]
    (ripe,) = judge(evidence_of(table, config), config).fairness
    assert [group for group in ripe.groups if group.true_positive_rate]


def test_a_sensitive_column_that_is_not_there_is_not_judged():
    config = make_config("labels: {fields: [sex]}\nfairness: {columns: [sex]}")
    assert judge(evidence_of(labelled(2), config), config).fairness == ()


def test_equal_treatment_is_ok_only_where_every_sensitive_column_was_looked_at():
    fair = make_config("fairness: {columns: [carrier]}")
    more = make_config("labels: {fields: [sex]}\nfairness: {columns: [carrier, sex]}")
    for config, expected in ((fair, OK), (more, BLIND)):
        quality = judge(evidence_of(labelled(2), config), config)
        (column,) = quality.fairness
        assert (column.severity, quality.verdicts.unequal) == (OK, expected)
        assert KeptQuality.of(quality).verdicts == quality.verdicts


def test_a_sensitive_column_that_no_row_has_a_value_of_was_not_looked_at():
    config = make_config("labels: {fields: [sex]}\nfairness: {columns: [carrier, sex]}")
    nothing = labelled(2).append_column("sex", pa.nulls(6000, pa.string()))
    assert judge(evidence_of(nothing, config), config).verdicts.unequal is BLIND


def test_an_estimate_has_a_verdict_only_where_the_labels_have_none():
    config, table = make_config(), labelled(2)
    late = judge(evidence_of(table, config, ripe=np.zeros(table.num_rows, bool), estimated=True), config)
    assert (late.verdicts.measured, late.verdicts.estimated) == (BLIND, OK)
    known = judge(evidence_of(table, config, estimated=True), config)
    assert (known.verdicts.measured, known.verdicts.estimated) == (OK, None)
    assert [one.metric for one in known.estimate.record.comparisons] == ["auc"]
    again = judge(evidence_of(table, config, estimated=True), config, earlier=EarlierWindows(known.estimate.record))
    assert again.estimate.record == known.estimate.record


def test_the_business_figures_stand_beside_the_metrics():
    config = make_config("business: [{name: weight_sent, column: weight, at_most: 5.0}]")
    (figure,) = judge(evidence_of(labelled(2), config), config).business
    assert (figure.figure.name, figure.severity) == ("weight_sent", CRITICAL)


def test_a_lost_window_is_critical_in_every_part():
    config = make_config("fairness: {columns: [carrier]}\nsegments: {minimum_rows: 100}")
    quality = judge(evidence_of(labelled(3, turned=True), config), config, start=START)
    assert quality.verdicts.loss is True
    assert quality.slices.severity is CRITICAL
    assert {shift.since for shift in quality.slices.concept_drift.shifts} == {"2026-01-05T00:00:00Z"}


def test_what_moved_is_dated_by_the_window_before():
    config = make_config()
    evidence = evidence_of(labelled(3, turned=True), config)
    first = judge(evidence, config, start=START).slices.concept_drift
    again = judge(evidence, config, earlier=EarlierWindows(concept_drift=first), start=START + timedelta(days=7))
    assert {shift.since for shift in again.slices.concept_drift.shifts} == {"2026-01-05T00:00:00Z"}


def test_a_report_is_read_back_with_the_verdicts_that_it_was_written_with():
    config, table = make_config("fairness: {columns: [carrier]}"), labelled(3, turned=True)
    for ripe in (np.ones(table.num_rows, bool), np.zeros(table.num_rows, bool)):
        quality = judge(evidence_of(table, config, ripe=ripe, estimated=True), config, start=START)
        kept = KeptQuality.of(quality)
        assert kept.verdicts == quality.verdicts
        assert kept.concept_drift == quality.slices.concept_drift
        assert {metric["name"] for metric in kept.judged_metrics} == quality.measured.verdicts.keys()
        assert kept.document == quality.to_json()


def test_concept_drift_alarms_where_it_is_clear_and_decides_no_retraining():
    turned, same = (judge(evidence_of(labelled(3, turned=t), make_config()), make_config()) for t in (True, False))
    assert (turned.verdicts.moved, same.verdicts.moved) == (CRITICAL, None)
    assert turned.verdicts.measured is turned.measured.severity


def test_the_parts_stand_in_the_order_that_is_wished():
    quality = judge(evidence_of(labelled(2), make_config(), estimated=True), make_config())
    assert [*quality.to_json(("slices", "estimate"))][-3:] == ["segments", "concept_drift", "estimate"]
    assert [*quality.to_json()][-3:] == ["estimate", "segments", "concept_drift"]


CHOSEN = "segments: {alert: CRITICAL}\nbusiness: [{name: weight, column: weight, at_least: 1000, alert: WARNING}]"


def test_what_the_yaml_lets_alarm_is_a_verdict_and_is_kept():
    config = make_config(CHOSEN)
    quality = judge(evidence_of(labelled(2, turned=True), config), config)
    assert quality.verdicts.chosen == {"segments": CRITICAL, "business figure weight": WARNING}
    assert KeptQuality.of(quality).verdicts == quality.verdicts
    assert judge(evidence_of(labelled(2), make_config()), make_config()).verdicts.chosen == {}


def test_a_window_without_labels_judges_none_of_what_the_yaml_lets_alarm():
    config = make_config(CHOSEN)
    assert judge(QualityEvidence(), config).verdicts.chosen == {"segments": BLIND, "business figure weight": BLIND}
