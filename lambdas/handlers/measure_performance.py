"""Join late labels to the answers of a window, and measure what the ripe ones say of the model's quality."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from kedge.capture_records import ROW_ID, TIME
from kedge.labels import LabelHorizon, LabelledRows, join_labels, performance_start
from kedge.model_config import ModelConfig
from kedge.performance import PerformanceReport, ScoreCounts, count_scores, judge_performance
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
    windows,
)  # fmt: skip
from lambdas.adapters.champions import Champion
from lambdas.adapters.models import load_model
from lambdas.handlers.logs import logger, tracer
from lambdas.handlers.requests import JudgeRequest
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    drift_queue_url: str


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Measure the window where it has a binary outcome, then pass it on to be judged for drift."""
    request, settings = JudgeRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model)
    champion = champions.load(clients.dynamodb(), settings.state_table, request.model)
    body = request.model_dump(mode="json", exclude_none=True)
    if champion is not None and config.problem == "binary_classification":
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
    report = judge(rows, horizon, reference, config)
    key = f"{reports.window_prefix(config.model, champion.baseline, request.window.end)}/performance.json"
    reports.save_json(s3, bucket, key, report.to_json())
    values = {f"Performance/{name}": estimate.value for name, estimate in report.metrics.items()}
    metrics.put(clients.cloudwatch(), model=config.model, values=values, time=request.time)
    detail = {"package_version": champion.package_version, "window": body_of(request), **report.to_json()}
    audit.record(s3, bucket, model=config.model, kind="performance_measured", time=request.time, detail=detail)
    return {"performance_key": key, "new_labelled_rows": newer_than_training(rows, horizon, champion, request.time)}


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
    table = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, config.prediction.name])
    if table is None:
        return None
    times = table.column(TIME).cast("int64").to_numpy() / 1e6
    scores = table.column(config.prediction.name).to_numpy().astype(np.float64)
    inside = (times >= start.timestamp()) & (times < end.timestamp()) & np.isfinite(scores)
    ids = [row_id for row_id, keep in zip(table.column(ROW_ID).to_pylist(), inside, strict=True) if keep]
    found = label_files.load_labels(s3, bucket, config.model, since=start, until=now)
    return join_labels(
        ids, times[inside], scores[inside], found.labels, classes=config.labels.classes, now=now.timestamp()
    )


def judge(rows: LabelledRows, horizon: LabelHorizon, reference: ScoreCounts, config: ModelConfig) -> PerformanceReport:
    """Judge the rows that are old enough; without a horizon none is."""
    ripe = rows.ripe(horizon.days) if horizon.days is not None else np.zeros(len(rows.scores), bool)
    judged = ripe & rows.labelled
    counts = count_scores(rows.scores[judged], rows.labels[judged], threshold=config.prediction.threshold)
    return judge_performance(
        counts, reference, config.performance,
        provisional_rows=int((rows.labelled & ~ripe).sum()), unlabelled_rows=int((ripe & ~rows.labelled).sum()),
        horizon_reason=horizon.reason,
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
