"""The quality of a window's answers: its labels, its estimate and its figures gathered, judged, and the estimator's record kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from kedge.config.model import ModelConfig
from kedge.estimation.estimators import estimate_answers
from kedge.estimation.report import WindowEstimates
from kedge.labels.fold import FoldReport
from kedge.labels.horizon import LabelHorizon
from kedge.labels.labelled_rows import TRUTH, LabelledRows
from kedge.outcomes.counts import count_outcomes
from kedge.outcomes.outcomes import Outcomes, read_outcomes
from kedge.own_columns import VARIANT
from kedge.performance.business import FigureSums, window_figures
from kedge.performance.window import LabelledOutcomes
from kedge.quality.window import (
    EarlierWindows,
    QualityEvidence,
    QualityReference,
    WindowQuality,
    judge_quality,
)
from kedge.slices.counts import SliceCounts
from kedge.slices.fairness import WindowRows, sensitive_counts
from kedge.slices.judgement import CountedSlices, count_slices
from lambdas.adapters import clients
from lambdas.adapters.bucket import baselines, kept_quality, layout
from lambdas.adapters.bucket.baselines import Reference
from lambdas.adapters.state import track_records
from lambdas.steps.fold_labels import LABEL_LOOK_BACK_DAYS
from lambdas.steps.requests import CADENCES, JudgeRequest


@dataclass(frozen=True)
class AnsweredWindow:
    """A window's answers with the labels that are in."""

    request: JudgeRequest
    config: ModelConfig
    rows: LabelledRows
    horizon: LabelHorizon
    fold: FoldReport

    @property
    def answers(self) -> str:
        """The name of the answers' column."""
        return self.config.prediction.name


def measure_window(
    window: AnsweredWindow, reference: Reference, *, bucket: str, table: str, baseline: str
) -> WindowQuality:
    """Gather what is known of the window's answers and judge it; keep the estimator's record against the labels."""
    s3, dynamodb, config = clients.s3(), clients.dynamodb(), window.config
    record = track_records.load(dynamodb, table, config.model)
    if window.request.is_aside:
        # By what was known of the estimator then.
        record = record.before(window.request.window.end)
    end = window.request.window.end - CADENCES[config.cadence.judge]
    before = kept_quality.load(s3, bucket, layout.performance_key(config.model, baseline, end))
    quality = judge_quality(
        gather_evidence(window, reference, baselines.load_slices(s3, bucket, config.model, baseline)),
        QualityReference(reference.counts, reference.figures),
        config,
        earlier=EarlierWindows(record, before.concept_drift if before else None),
        start=window.request.window.start,
    )
    if quality.estimate is not None and quality.estimate.record != record and not window.request.is_aside:
        track_records.save(dynamodb, table, config.model, quality.estimate.record)
    return quality


def gather_evidence(window: AnsweredWindow, reference: Reference, slices: SliceCounts | None) -> QualityEvidence:
    """Count the ripe rows, their groups and figures, and estimate from the answers alone."""
    config, rows = window.config, window.rows
    ripe = rows.ripe(window.horizon.days)
    labelled = rows.table.filter(pa.array(ripe))
    outcomes, faults = read_outcomes(labelled, window.answers, TRUTH, config)
    counted = LabelledOutcomes(
        count_outcomes(outcomes, config),
        faults.unlabelled,
        window.horizon.reason,
        int((rows.labelled & ~ripe).sum()),
        (
            *faults.sentences(quoted=False),
            *rows.sentences(),
            *window.fold.sentences(days=LABEL_LOOK_BACK_DAYS),
        ),
    )
    slices = slices.shown_as(config.hidden) if slices is not None else None
    known = slices.ruler.by_column if slices is not None else {}
    return QualityEvidence(
        counted,
        estimates(window, reference),
        by_slice(labelled.filter(pa.array(faults.kept)), outcomes, slices, config) if slices is not None else None,
        tuple(
            sensitive_counts(
                WindowRows(rows.table, window.answers, TRUTH, ripe), config, known, mark_key=reference.digest
            )
        ),
        figures(window),
        # Rows that were counted before the YAML named the variants do not say which one answered.
        {name: counted_of(window, name) for name in config.endpoint.variants if VARIANT in rows.table.column_names},
    )


def counted_of(window: AnsweredWindow, variant: str) -> LabelledOutcomes:
    """The ripe rows that one of several production variants answered, counted like the whole."""
    config, rows = window.config, window.rows
    own = pc.fill_null(pc.equal(rows.table.column(VARIANT), variant), False).to_numpy()
    ripe = rows.ripe(window.horizon.days) & own
    outcomes, faults = read_outcomes(rows.table.filter(pa.array(ripe)), window.answers, TRUTH, config)
    provisional = int((rows.labelled & own & ~ripe).sum())
    return LabelledOutcomes(
        count_outcomes(outcomes, config),
        faults.unlabelled,
        window.horizon.reason,
        provisional,
        faults.sentences(quoted=False),
    )


def by_slice(labelled: pa.Table, outcomes: Outcomes, reference: SliceCounts, config: ModelConfig) -> CountedSlices:
    """Count the labelled rows as the champion's holdout is cut."""
    return count_slices(
        lambda names: [({name: labelled.column(name) for name in names}, outcomes)],
        reference,
        config.segments,
        ruler=reference.ruler,
    )


def estimates(window: AnsweredWindow, reference: Reference) -> WindowEstimates | None:
    """The estimate from the answers; None if the champion's holdout gives no estimator."""
    rows, estimator, request = window.rows, reference.estimator, window.request
    if estimator is None:
        return None
    # Those that were measured may reach back further than the window.
    age = (request.time - request.window.start) / timedelta(days=1)
    inside = rows.table.filter(pa.array(rows.ages_days <= age))
    ripe = rows.table.filter(pa.array(rows.labelled & rows.ripe(window.horizon.days)))
    metrics, count = estimate_answers(estimator, [inside], window.answers, window.config)
    of_labelled, _ = estimate_answers(estimator, [ripe], window.answers, window.config)
    oldest = request.time - timedelta(days=float(rows.ages_days.max(initial=0.0)))
    return WindowEstimates(estimator.method, metrics, count, oldest, request.window.end, of_labelled)


def figures(window: AnsweredWindow) -> dict[str, FigureSums]:
    """The business's figures of the window's answers."""
    ripe = window.rows.ripe(window.horizon.days)
    return window_figures(window.rows.table, window.answers, window.config, label=TRUTH, ripe=ripe)
