"""Quality of a file's answers, measured, estimated and by group, with the baseline file's rows as the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from cli.check.question import CheckQuestion
from cli.check.slices import absent_sensitive, count_file_slices, count_groups
from cli.rows.files import RowFiles
from cli.rows.outcomes import UnlabelledFileError, count_labelled
from kedge.config.model import ModelConfig
from kedge.estimation.estimators import Estimator, ScoreEstimator, estimate_answers, fit_estimator
from kedge.estimation.report import WindowEstimates
from kedge.outcomes.binary import BinaryCounts
from kedge.outcomes.counts import OutcomeCounts, no_outcomes
from kedge.outcomes.outcomes import OutcomeFaults, read_outcomes
from kedge.performance.window import LabelledOutcomes
from kedge.profile.baseline import Baseline
from kedge.quality.window import QualityEvidence, QualityReference, WindowQuality, judge_quality

# Counts of two classes are enough for an estimator; the others learn from this many rows, which stay in memory.
ROWS_LEARNT_FROM = 1_000_000
_NO_TIME = datetime.fromtimestamp(0, UTC)


def judge_files(question: CheckQuestion, frozen: Baseline) -> tuple[WindowQuality | None, tuple[str, ...]]:
    """The quality of the window's answers, and notes on what of it is not there; None where there is nothing to judge."""
    window, config, label = question.window, question.config, question.label
    prediction = next((column.name for column in question.columns if column.role == "prediction"), None)
    if label is None:
        return None, ()
    if prediction is None:
        return None, ("quality is not judged: name the column with the model's answers (--prediction)",)
    try:
        before, _ = count_labelled(question.baseline, config, prediction, label)
    except UnlabelledFileError as error:
        return None, (f"quality is not judged: {error}",)
    evidence = _evidence(question, prediction, label, before)
    notes: tuple[str, ...] = (f"{window.path} has no column {label!r}: quality is only estimated",)
    if label in window.schema.names:
        counted = count_file_slices(question.baseline, window, config, frozen, label)
        groups = count_groups(window, config, prediction, label, counted.singles.ruler)
        evidence, notes = replace(evidence, slices=counted, sensitive=groups), absent_sensitive(window, config)
    return judge_quality(evidence, QualityReference(before), config), notes


def _evidence(question: CheckQuestion, prediction: str, label: str, before: OutcomeCounts) -> QualityEvidence:
    """The evidence of the labels, and the estimate from the answers alone."""
    window, config = question.window, question.config
    # A label that was understood in the baseline and is not any more is a fault of the window.
    now, faults = no_outcomes(config), OutcomeFaults()
    if label in window.schema.names:
        now, faults = count_labelled(window, config, prediction, label)
    reason = "every labelled row of the file counts as ripe"
    counted = LabelledOutcomes(now, faults.unlabelled, reason, notes=tuple(faults.sentences()))
    estimator = _learnt(question.baseline, config, prediction, label, before)
    if estimator is None:
        return QualityEvidence(counted)
    metrics, rows = estimate_answers(estimator, _tables(window, config, [prediction]), prediction, config)
    return QualityEvidence(counted, WindowEstimates(estimator.method, metrics, rows, _NO_TIME, _NO_TIME))


def _learnt(
    baseline: RowFiles, config: ModelConfig, prediction: str, label: str, reference: OutcomeCounts
) -> Estimator | None:
    if isinstance(reference, BinaryCounts):
        return ScoreEstimator.of(reference, config.prediction.threshold)
    head = baseline.head([*_columns(baseline, config, [prediction, label])], ROWS_LEARNT_FROM)
    outcomes, _ = read_outcomes(head, prediction, label, config)
    return fit_estimator(outcomes, threshold=config.prediction.threshold)


def _tables(rows: RowFiles, config: ModelConfig, names: list[str]) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in rows.batches(_columns(rows, config, names)))


def _columns(rows: RowFiles, config: ModelConfig, names: list[str]) -> list[str]:
    probabilities = [name for name in config.prediction.probabilities if name in rows.schema.names]
    return list(dict.fromkeys([*names, *probabilities]))
