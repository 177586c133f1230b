"""The quality of a window's answers: its labels, its estimate and its figures gathered, judged, and the estimator's record kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Bools
from kedge.config.model import ModelConfig
from kedge.estimation.estimators import estimate_answers
from kedge.estimation.report import WindowEstimates
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
from kedge.window_sql.plan import GatheredWindow
from lambdas.adapters import clients
from lambdas.adapters.bucket import kept_quality, layout
from lambdas.adapters.bucket.baselines import Reference
from lambdas.adapters.state import track_records
from lambdas.steps.requests import CADENCES, JudgeRequest


@dataclass(frozen=True)
class QualityPlace:
    """Where a window's quality is looked up and kept."""

    bucket: str
    table: str
    baseline: str


@dataclass(frozen=True)
class AnsweredWindow:
    """A window's answers with the labels that are in."""

    request: JudgeRequest
    config: ModelConfig
    rows: LabelledRows
    horizon: LabelHorizon
    learnt: LabelHorizon
    notes: tuple[str, ...] = ()
    learnt_until: datetime | None = None

    @property
    def answers(self) -> str:
        """The name of the answers' column."""
        return self.config.prediction.name


def measure_window(
    request: JudgeRequest, config: ModelConfig, gathered: GatheredWindow, reference: Reference, *, place: QualityPlace
) -> WindowQuality:
    """Judge what is known of the window's answers; keep the estimator's record against the labels."""
    s3, dynamodb = clients.s3(), clients.dynamodb()
    record = track_records.load(dynamodb, place.table, config.model)
    if request.is_aside:
        # By what was known of the estimator then.
        record = record.before(request.window.end)
    end = request.window.end - CADENCES[config.cadence.judge]
    before = kept_quality.load(s3, place.bucket, layout.performance_key(config.model, place.baseline, end))
    quality = judge_quality(
        gathered.evidence,
        QualityReference(reference.counts, reference.figures),
        config,
        earlier=EarlierWindows(record, before.concept_drift if before else None),
        start=request.window.start,
    )
    if quality.estimate is not None and quality.estimate.record != record and not request.is_aside:
        track_records.save(dynamodb, place.table, config.model, quality.estimate.record)
    return quality


def gather_rows(window: AnsweredWindow, reference: Reference, slices: SliceCounts | None) -> GatheredWindow:
    """Count the ripe rows, their groups and figures, and estimate from the answers alone.

    Parameters
    ----------
    slices : SliceCounts or None
        The champion's holdout by slice, its groups named as the YAML allows.
    """
    config, rows = window.config, window.rows
    ripe, facts = rows.ripe(window.horizon.days), rows.facts()
    labelled = rows.table.filter(pa.array(ripe))
    outcomes, faults = read_outcomes(labelled, window.answers, TRUTH, config)
    counted = LabelledOutcomes(
        count_outcomes(outcomes, config),
        faults.unlabelled,
        window.horizon.reason,
        int((rows.labelled & ~ripe).sum()),
        (*faults.sentences(quoted=False), *facts.faults.sentences(), *window.notes),
    )
    known = slices.ruler.by_column if slices is not None else {}
    people = WindowRows(rows.table, window.answers, TRUTH, ripe)
    evidence = QualityEvidence(
        counted,
        estimates(window, reference),
        by_slice(labelled.filter(pa.array(faults.kept)), outcomes, slices, config) if slices is not None else None,
        tuple(sensitive_counts(people, config, known, mark_key=reference.digest)),
        figures(window),
        # Rows that were counted before the YAML named the variants do not say which one answered.
        {name: counted_of(window, name) for name in config.endpoint.variants if VARIANT in rows.table.column_names},
    )
    return GatheredWindow(evidence, facts, window.horizon, window.learnt, newer_than_training(window, ripe))


def newer_than_training(window: AnsweredWindow, ripe: Bools) -> int:
    """Ripe labelled rows that the champion cannot have learnt from; those before the window are not counted."""
    until = window.learnt_until
    age = (window.request.time - until) / timedelta(days=1) if until else np.inf
    return int((window.rows.labelled & ripe & (window.rows.ages_days < age)).sum())


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
