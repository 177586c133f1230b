"""Join late labels to the answers of a window, and measure the model's quality on the ripe ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from kedge.config.gauges import sent
from kedge.config.metrics import ONE_VALUE
from kedge.config.model import ModelConfig
from kedge.errors import LabelsUnfoldedError
from kedge.intervals import Estimate
from kedge.labels.fold import FoldReport
from kedge.labels.horizon import LabelHorizon, performance_start
from kedge.labels.labelled_rows import LabelledRows, labelled_rows
from kedge.quality.window import Part, WindowQuality
from lambdas.adapters import clients, metrics, queues
from lambdas.adapters.bucket import baselines, layout, package_schemas, reports, sensitive_columns, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state import windows
from lambdas.adapters.state.champions import Champion
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.fold_labels import fold_labels
from lambdas.steps.join_window import joined_rows, measured_columns, needs_athena
from lambdas.steps.measure_window import AnsweredWindow, measure_window
from lambdas.steps.requests import JudgeRequest, failure, is_direct, receives
from lambdas.steps.served_then import champion_of, report_prefix

# In which the parts of performance.json have stood from the first: over the same objects its bytes stay the same.
PARTS: tuple[Part, ...] = ("slices", "fairness", "estimate", "business")
# Labels are folded until this much of the run's time is left: the window is to be measured in it.
MEASURE_SECONDS = 300


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    drift_queue_url: str
    join_queue_url: str


@dataclass(frozen=True)
class LabelStretch:
    """What is measured for a window: answers since `start`, and what was folded and known of their labels before."""

    start: datetime
    fold: FoldReport
    horizon_days: float | None


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Measure the window where a model answers, then pass it on to be judged for drift, which never waits for labels."""
    request, settings = JudgeRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model, settings.data_bucket)
    champion = champion_of(clients.dynamodb(), settings.state_table, request)
    body = request.model_dump(mode="json", exclude_none=True, exclude={"joined_prefix"})
    if champion is None or request.not_measured is not None:
        return pass_on(body, settings, event)
    config = package_schemas.load(clients.s3(), settings.data_bucket, config, champion.baseline)
    if receives(event) > 1:
        # An attempt that was killed could not say so: drift is judged first, and once more when the window is measured.
        pass_on(
            body | {"not_measured": "an earlier attempt to measure did not end; Kedge tries again"}, settings, event
        )

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > MEASURE_SECONDS * 1000)

    try:
        stretch = stretch_of(request, settings, config, champion, has_time)
        if needs_athena(request, settings.data_bucket, config, champion, stretch.start):
            body |= {"start": stretch.start.isoformat(), "columns": measured_columns(config)}
            if not is_direct(event):
                queues.send(clients.sqs(), settings.join_queue_url, body)
            tell(request, config, stretch.fold.gauges())
            logger.info("too large for this function: joined by Athena first", model=request.model)
            return body
        measured = measure(request, settings, config, champion, stretch)
    except Exception as error:
        if receives(event) == 1 and not is_direct(event):
            why = f"it could not be measured ({failure(error)}); Kedge tries again"
            pass_on(body | {"not_measured": why}, settings, event)
        raise
    return pass_on(body | measured, settings, event)


def pass_on(body: dict[str, Any], settings: Settings, event: dict[str, Any]) -> dict[str, Any]:
    """Have the window judged for drift, with what has been measured of it; a person who called takes it there."""
    if is_direct(event):
        return body
    queues.send(clients.sqs(), settings.drift_queue_url, body)
    logger.info("passed on", model=body["model"], new_labelled_rows=body.get("new_labelled_rows", 0))
    return body


def stretch_of(
    request: JudgeRequest, settings: Settings, config: ModelConfig, champion: Champion, has_time: Callable[[], bool]
) -> LabelStretch:
    """Fold the labels that have come; reach further back where the horizon leaves too little of the window ripe.

    On the side nothing is folded: the ledger looks back from the present, and what was folded by then is there.
    """
    horizon = config.labels.label_horizon_days
    if horizon is None:
        horizon = windows.load_horizon(clients.dynamodb(), settings.state_table, config.model)
    fold = FoldReport()
    if not request.is_aside:
        fold = fold_labels(settings.data_bucket, config, now=request.time, horizon_days=horizon, has_time=has_time)
    if not fold.is_whole:
        tell(request, config, fold.gauges())
        raise LabelsUnfoldedError(model=config.model, files=fold.files)
    start = max(performance_start(request.window.start, request.window.end, horizon or 0.0), champion.promoted_at)
    return LabelStretch(start, fold, horizon)


def measure(
    request: JudgeRequest, settings: Settings, config: ModelConfig, champion: Champion, stretch: LabelStretch
) -> dict[str, Any]:
    """Gather, judge and keep; return what the next stages need."""
    s3, bucket = clients.s3(), settings.data_bucket
    reference = baselines.load_reference(s3, bucket, config.model, champion.baseline)
    rows, horizon = measured_rows(request, settings, config, champion, stretch)
    if rows is None or reference is None:
        tell(request, config, stretch.fold.gauges())
        return {}
    rows = with_values_beside(rows, settings, config, request.time)
    window = AnsweredWindow(request, config, rows, horizon, stretch.fold)
    quality = measure_window(window, reference, bucket=bucket, table=settings.state_table, baseline=champion.baseline)
    document = quality.to_json(PARTS)
    key = f"{report_prefix(request, champion.baseline)}/{layout.PERFORMANCE}"
    # What the fold took is no finding about the window: told to the timeline, it would tell every rerun as news.
    reports.save_json(s3, bucket, key, document | {"join": stretch.fold.to_json() | rows.coverage()})
    tell(request, config, stretch.fold.gauges() | gauges(quality), quality)
    if not request.is_aside:
        detail = {"package_version": champion.package_version, "window": body_of(request), **document}
        timeline.record(s3, bucket, Entry(config.model, "performance_measured", request.time, detail))
    return {"performance_key": key, "new_labelled_rows": newer_than_training(rows, horizon, champion, request.time)}


def tell(
    request: JudgeRequest, config: ModelConfig, values: Mapping[str, float], quality: WindowQuality | None = None
) -> None:
    """Tell CloudWatch, after the work is done: it takes no values of long ago, and none of what is judged on the side."""
    if request.is_aside:
        return
    judged = judged_metrics(quality) if quality else set[str]()
    values = sent(values, config.metrics, judged)
    metrics.put(clients.cloudwatch(), model=request.model, values=values, time=request.time)


def judged_metrics(quality: WindowQuality) -> set[str]:
    """The performance metrics that a limit judges, as they were measured or estimated."""
    measured, estimate = quality.measured, quality.estimate
    return {*(measured.verdicts if measured else ()), *(estimate.judged if estimate else ())}


def gauges(quality: WindowQuality) -> dict[str, float]:
    """What CloudWatch is told: measured, the judged ones as they were estimated, and the business's own."""
    measured, estimate = quality.measured, quality.estimate
    metrics, limited = (measured.metrics, measured.verdicts) if measured else ({}, {})
    expected, judged = (estimate.metrics, {*limited, *estimate.verdicts}) if estimate else ({}, set())
    sections: dict[str, list[Estimate]] = {
        # Each class has its own recall: a gauge each would be paid for by the month, whether anyone looks at it or not.
        "Performance": [metric for name, metric in metrics.items() if name in ONE_VALUE or name in limited],
        "Estimate": [metric for name, metric in expected.items() if name in judged],
        "Business": [figure.mean for figure in quality.business],
    }
    # Of each sensitive column the widest distances between groups.
    sections |= {f"Fairness/{c.column}": [d.estimate for d in c.disparities] for c in quality.fairness}
    return {f"{title}/{metric.name}": metric.value for title, found in sections.items() for metric in found}


def with_values_beside(rows: LabelledRows, settings: Settings, config: ModelConfig, now: datetime) -> LabelledRows:
    """The rows with what the YAML finds in custom attributes beside them."""
    since = now - timedelta(days=float(rows.ages_days.max(initial=0.0)))
    table = sensitive_columns.with_attributes(
        clients.s3(), settings.data_bucket, config, rows.table, since=since, until=now
    )
    return replace(rows, table=table)


def measured_rows(
    request: JudgeRequest, settings: Settings, config: ModelConfig, champion: Champion, stretch: LabelStretch
) -> tuple[LabelledRows | None, LabelHorizon]:
    """The answers with their labels, and the horizon that they teach."""
    dynamodb, table, remembered = clients.dynamodb(), settings.state_table, stretch.horizon_days
    joined = joined_rows(request, settings.data_bucket, config, champion, stretch.start)
    rows = None
    if joined is not None:
        rows = labelled_rows(
            joined,
            config,
            now=request.time.timestamp(),
            unmatched=stretch.fold.unknown_lately,
            classes=()
            if config.problem == "regression"
            else load_model(config.model, settings.data_bucket).labels.classes,
        )
    if config.labels.label_horizon_days is not None:
        return rows, LabelHorizon(config.labels.label_horizon_days, "the label horizon is set in the YAML")
    learnt = (
        rows.horizon(config.labels.horizon_quantile, config.labels.classes)
        if rows is not None
        else LabelHorizon(None, "no answers yet")
    )
    if learnt.days is not None:
        if not request.is_aside:
            windows.save_horizon(dynamodb, table, config.model, learnt.days)
    elif remembered is not None:
        learnt = LabelHorizon(remembered, f"{remembered:.1f} days were learnt earlier; now {learnt.reason}")
    return rows, learnt


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
