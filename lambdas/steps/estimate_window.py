"""A window's quality beside its labels: the estimate from its answers, and the business figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa

from kedge.config.model import ModelConfig
from kedge.estimation.estimators import estimate_answers
from kedge.estimation.report import WindowEstimates, estimate_window
from kedge.labels.horizon import LabelHorizon
from kedge.labels.labelled_rows import TRUTH, LabelledRows
from kedge.performance.business import judge_figures, window_figures
from kedge.performance.window import PerformanceReport
from lambdas.adapters import clients
from lambdas.adapters.bucket.baselines import Reference
from lambdas.adapters.state import track_records
from lambdas.steps.requests import JudgeRequest


@dataclass(frozen=True)
class MeasuredWindow:
    """A window's answers with the labels that are in, and what these said."""

    request: JudgeRequest
    config: ModelConfig
    rows: LabelledRows
    horizon: LabelHorizon
    reference: Reference
    report: PerformanceReport


def beside_labels(measured: MeasuredWindow, table: str) -> dict[str, Any]:
    """The parts "estimate" and "business" of the report's "performance"; the estimator's record is kept in the state table."""
    figures = business(measured)
    estimate = estimated(measured, table)
    return ({"estimate": estimate} if estimate else {}) | ({"business": figures} if figures else {})


def estimated(measured: MeasuredWindow, table: str) -> dict[str, Any] | None:
    """The window's estimate, and the record compared with the labels; None if the baseline gives no estimator."""
    request, rows, estimator = measured.request, measured.rows, measured.reference.estimator
    if estimator is None:
        return None
    dynamodb, config = clients.dynamodb(), measured.config
    name, ripe = config.prediction.name, rows.labelled & rows.ripe(measured.horizon.days)
    metrics, count = estimate_answers(estimator, [in_window(measured)], name, config)
    of_labelled, _ = estimate_answers(estimator, [rows.table.filter(pa.array(ripe))], name, config)
    oldest = request.time - timedelta(days=float(rows.ages_days.max(initial=0.0)))
    before = track_records.load(dynamodb, table, config.model)
    report, record = estimate_window(
        WindowEstimates(estimator.method, metrics, count, oldest, request.window.end, of_labelled),
        measured.reference.counts,
        config.performance,
        record=before,
        measured=measured.report,
    )
    if record != before:
        track_records.save(dynamodb, table, config.model, record)
    return report.to_json()


def in_window(measured: MeasuredWindow) -> pa.Table:
    """The answers of the window itself: those that were measured may reach back further."""
    age = (measured.request.time - measured.request.window.start) / timedelta(days=1)
    return measured.rows.table.filter(pa.array(measured.rows.ages_days <= age))


def business(measured: MeasuredWindow) -> list[dict[str, Any]]:
    """The business figures beside their reference; none where the YAML names none."""
    config, rows = measured.config, measured.rows
    sums = window_figures(
        rows.table, config.prediction.name, config, label=TRUTH, ripe=rows.ripe(measured.horizon.days)
    )
    found = judge_figures(config.business, sums, measured.reference.figures, confidence=config.performance.confidence)
    return [figure.to_json() for figure in found]
