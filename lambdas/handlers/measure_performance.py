"""Join late labels to the answers of a window, and measure what the ripe ones say of the model's quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from kedge.capture_records import ROW_ID, TIME
from kedge.labelled_rows import TRUTH, LabelledRows, join_labels
from kedge.labels import LabelHorizon, performance_start
from kedge.model_config import ModelConfig
from kedge.outcome_counts import OutcomeCounts, count_outcomes
from kedge.outcomes import read_outcomes
from kedge.performance import PerformanceReport, judge_performance
from kedge.window_fairness import WindowRows
from kedge.window_slices import window_slices
from lambdas.adapters import (
    audit,
    baselines,
    champions,
    clients,
    days,
    label_files,
    metrics,
    predictions,
    queues,
    reports,
    sensitive_columns,
    windows,
)  # fmt: skip
from lambdas.adapters.champions import Champion
from lambdas.adapters.models import load_model
from lambdas.handlers.logs import logger, tracer
from lambdas.handlers.requests import CADENCES, JudgeRequest
from lambdas.handlers.unlabelled_quality import MeasuredWindow, beside_labels
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    drift_queue_url: str


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Measure the window where a model answers, then pass it on to be judged for drift."""
    request, settings = JudgeRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model)
    champion = champions.load(clients.dynamodb(), settings.state_table, request.model)
    body = request.model_dump(mode="json", exclude_none=True)
    if champion is not None:
        body |= measure(request, settings, config, champion)
    queues.send(clients.sqs(), settings.drift_queue_url, body)
    logger.info("measured", model=request.model, new_labelled_rows=body.get("new_labelled_rows", 0))
    return body


def measure(request: JudgeRequest, settings: Settings, config: ModelConfig, champion: Champion) -> dict[str, Any]:
    """Gather, judge and keep; return what the next stages need."""
    s3, bucket = clients.s3(), settings.data_bucket
    reference = baselines.load_reference(s3, bucket, config.model, champion.baseline)
    rows, horizon = labelled_rows(request, settings, config, champion)
    if rows is None or reference is None:
        return {}
    rows = with_values_beside(rows, settings, config, request.time)
    report = judge(rows, horizon, reference.counts, config)
    document = report.to_json() | slices(request, settings, config, champion, rows, horizon)
    document |= beside_labels(MeasuredWindow(request, config, rows, horizon, reference, report), settings.state_table)
    key = f"{reports.window_prefix(config.model, champion.baseline, request.window.end)}/performance.json"
    reports.save_json(s3, bucket, key, document)
    metrics.put(clients.cloudwatch(), model=config.model, values=gauges(document), time=request.time)
    detail = {"package_version": champion.package_version, "window": body_of(request), **document}
    audit.record(s3, bucket, model=config.model, kind="performance_measured", time=request.time, detail=detail)
    return {"performance_key": key, "new_labelled_rows": newer_than_training(rows, horizon, champion, request.time)}


def gauges(document: Mapping[str, Any]) -> dict[str, float]:
    """What CloudWatch is told: measured, the judged ones as they were estimated, and the business's own."""
    estimates = document.get("estimate", {}).get("metrics", [])
    judged = {row["name"] for row in (*document["metrics"], *estimates) if "limit" in row}
    estimates = [row for row in estimates if row["name"] in judged]
    sections = {"Performance": document["metrics"], "Estimate": estimates, "Business": document.get("business", [])}
    # Of each sensitive column the widest distances between groups.
    fairness = document.get("fairness", {}).get("columns", [])
    sections |= {f"Fairness/{column['column']}": column["metrics"] for column in fairness}
    return {f"{title}/{row['name']}": row["value"] for title, rows in sections.items() for row in rows}


def with_values_beside(rows: LabelledRows, settings: Settings, config: ModelConfig, now: datetime) -> LabelledRows:
    """The rows with what the YAML finds in custom attributes or label records beside them."""
    since = now - timedelta(days=float(rows.ages_days.max(initial=0.0)))
    table = sensitive_columns.with_sensitive(
        clients.s3(), settings.data_bucket, config, rows.table, since=since, until=now
    )
    return replace(rows, table=table)


def labelled_rows(
    request: JudgeRequest, settings: Settings, config: ModelConfig, champion: Champion
) -> tuple[LabelledRows | None, LabelHorizon]:
    """The window's answers with their labels, reaching further back where the horizon leaves too little of it ripe."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    remembered = config.labels.label_horizon_days
    if remembered is None:
        remembered = windows.load_horizon(dynamodb, table, config.model)
    start = max(performance_start(request.window.start, request.window.end, remembered or 0.0), champion.promoted_at)
    rows = join(settings.data_bucket, config, champion, start, request.window.end, request.time)
    if config.labels.label_horizon_days is not None:
        return rows, LabelHorizon(config.labels.label_horizon_days, "the label horizon is set in the YAML")
    learnt = rows.horizon(config.labels.horizon_quantile) if rows is not None else LabelHorizon(None, "no answers yet")
    if learnt.days is not None:
        windows.save_horizon(dynamodb, table, config.model, learnt.days)
    elif remembered is not None:
        learnt = LabelHorizon(remembered, f"{remembered:.1f} days were learnt earlier; now {learnt.reason}")
    return rows, learnt


def join(
    bucket: str, config: ModelConfig, champion: Champion, start: datetime, end: datetime, now: datetime
) -> LabelledRows | None:
    """Answers of `[start, end)` joined with all labels collected since; None where nothing was answered."""
    s3 = clients.s3()
    counted = days.load_days(
        s3, bucket, model=config.model, package_version=champion.package_version, baseline=champion.baseline,
        first=start.date(), last=(end - timedelta(microseconds=1)).date(),
    )  # fmt: skip
    parts = [part for day in sorted(counted) for part in counted[day].parts]
    table = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, *measured_columns(config)])
    if table is None:
        return None
    times = table.column(TIME).cast("int64").to_numpy() / 1e6
    inside = (times >= start.timestamp()) & (times < end.timestamp())
    table = table.filter(inside)
    found = label_files.load_labels(s3, bucket, config.model, since=start, until=now)
    return join_labels(
        table.drop_columns([TIME]), table.column(ROW_ID).to_pylist(), times[inside], found.labels, config,
        now=now.timestamp(),
    )  # fmt: skip


def measured_columns(config: ModelConfig) -> list[str]:
    """The columns of the predictions table that quality is measured from, and sliced by."""
    named = {config.performance.cost_column, *config.fairness.columns, *config.business_columns}
    sliced = config.segments.columns or [feature.name for feature in config.features if feature.watched]
    return [config.prediction.name, *(name for name in config.feature_names if name in named or name in sliced)]


def judge(
    rows: LabelledRows, horizon: LabelHorizon, reference: OutcomeCounts, config: ModelConfig
) -> PerformanceReport:
    """Judge the rows that are old enough; without a horizon none is."""
    ripe = rows.ripe(horizon.days)
    outcomes, faults = read_outcomes(rows.table.filter(ripe), config.prediction.name, TRUTH, config)
    return judge_performance(
        count_outcomes(outcomes, config), reference, config.performance,
        provisional_rows=int((rows.labelled & ~ripe).sum()), unlabelled_rows=faults.unlabelled,
        horizon_reason=horizon.reason, notes=(*faults.sentences(), *rows.sentences()),
    )  # fmt: skip


def slices(
    request: JudgeRequest,
    settings: Settings,
    config: ModelConfig,
    champion: Champion,
    rows: LabelledRows,
    horizon: LabelHorizon,
) -> dict[str, Any]:
    """Where quality is lost, and whom it concerns; dated by what the window before has told."""
    s3, bucket, end = clients.s3(), settings.data_bucket, request.window.end
    reference = baselines.load_slices(s3, bucket, config.model, champion.baseline)
    before = reports.window_prefix(config.model, champion.baseline, end - CADENCES[config.cadence.judge])
    return window_slices(
        WindowRows(rows.table, config.prediction.name, TRUTH, rows.ripe(horizon.days)), reference, config,
        start=request.window.start, previous=reports.load_json(s3, bucket, f"{before}/performance.json"),
    )  # fmt: skip


def newer_than_training(rows: LabelledRows, horizon: LabelHorizon, champion: Champion, now: datetime) -> int:
    """Ripe labelled rows that the champion cannot have learnt from; those before the window are not counted."""
    if horizon.days is None:
        return 0
    age = (now - champion.training_end).total_seconds() / 86_400 if champion.training_end else np.inf
    return int((rows.labelled & rows.ripe(horizon.days) & (rows.ages_days < age)).sum())


def body_of(request: JudgeRequest) -> dict[str, str]:
    """The window as messages carry it."""
    window: dict[str, str] = request.window.model_dump(mode="json")
    return window
