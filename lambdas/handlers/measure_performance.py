"""Join late labels to the answers of a window, and measure the model's quality on the ripe ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kedge.config.gauges import sent
from kedge.config.metrics import ONE_VALUE
from kedge.config.model import ModelConfig
from kedge.errors import LabelsUnfoldedError
from kedge.intervals import Estimate
from kedge.labels.fold import FoldReport
from kedge.labels.horizon import believed_horizon, performance_start
from kedge.labels.labelled_rows import LabelledRows, labelled_rows
from kedge.quality.window import Part, WindowQuality
from kedge.window_sql.plan import GatheredWindow
from lambdas.adapters import clients, metrics, queues
from lambdas.adapters.bucket import baselines, layout, package_schemas, reports, sensitive_columns, timeline
from lambdas.adapters.bucket.baselines import Reference
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state import windows
from lambdas.adapters.state.champions import Champion
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.steps.attempts import RetriedSettings, ended_in_silence
from lambdas.steps.fold_labels import LABEL_LOOK_BACK_DAYS, fold_labels
from lambdas.steps.measuring.join_window import (
    classes_now,
    counted_at,
    is_large,
    joined_at,
    joined_in_memory,
    plan_of,
)
from lambdas.steps.measuring.measure_window import AnsweredWindow, QualityPlace, gather_rows, measure_window
from lambdas.steps.requests import JudgeRequest, failure, is_direct
from lambdas.steps.served_then import champion_of, report_prefix

# The order of the parts in performance.json. It never changes, so the same objects give the same bytes.
PARTS: tuple[Part, ...] = ("slices", "fairness", "estimate", "business")
# Labels are folded until this much of the run's time is left: the window is to be measured in it.
MEASURE_SECONDS = 300


class Settings(RetriedSettings):
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


@dataclass(frozen=True)
class WindowToMeasure:
    """One window that is measured."""

    request: JudgeRequest
    settings: Settings
    config: ModelConfig
    champion: Champion
    stretch: LabelStretch

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of how labels were folded."""
        return self.stretch.fold.sentences(days=LABEL_LOOK_BACK_DAYS)


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Measure the window where a model answers, then pass it on to be judged for drift, which never waits for labels."""
    request, settings = JudgeRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model, settings.data_bucket)
    champion = champion_of(clients.dynamodb(), settings.state_table, request)
    body = request.model_dump(mode="json", exclude_none=True, exclude={"joined_prefix", "remembered_days"})
    if champion is None or request.not_measured is not None:
        return pass_on(body, settings, event)
    config = package_schemas.load(clients.s3(), settings.data_bucket, config, champion.baseline)
    if ended_in_silence(event, request, champion, settings.state_table):
        # Drift is judged first, and once more when the window is measured.
        why = f"an earlier attempt to measure did not end; {settings.again}"
        pass_on(body | {"not_measured": why}, settings, event)

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > MEASURE_SECONDS * 1000)

    try:
        stretch = stretch_of(request, settings, config, champion, has_time)
        work = WindowToMeasure(request, settings, config, champion, stretch)
        prefix = joined_at(request, settings.data_bucket, config, champion)
        if prefix is None and is_large(request, settings.data_bucket, config, champion, stretch.start):
            return hand_to_athena(work, body, event)
        measured = measure(work, prefix)
    except Exception as error:
        if not is_direct(event):
            why = f"it could not be measured ({failure(error)}); {settings.next_step(event)}"
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


def hand_to_athena(work: WindowToMeasure, body: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Have the window joined and counted by Athena; it comes back with where the counts are."""
    stretch = work.stretch
    # To the fraction of a second: a learnt horizon need not end on a whole one.
    body = body | {"start": stretch.start.isoformat()}
    if stretch.horizon_days is not None:
        body["remembered_days"] = stretch.horizon_days
    if not is_direct(event):
        queues.send(clients.sqs(), work.settings.join_queue_url, body)
    tell(work.request, work.config, stretch.fold.gauges())
    logger.info("too large for this function: joined and counted by Athena first", model=work.config.model)
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
        raise LabelsUnfoldedError(model=config.model, files=fold.files, days=fold.days_opened)
    start = max(performance_start(request.window.start, request.window.end, horizon or 0.0), champion.promoted_at)
    return LabelStretch(start, fold, horizon)


def measure(work: WindowToMeasure, prefix: str | None) -> dict[str, Any]:
    """Gather, judge and keep; return what the next stages need.

    Parameters
    ----------
    prefix : str or None
        Where Athena's counts stand; without them the rows are read here.
    """
    request, config, champion, fold = work.request, work.config, work.champion, work.stretch.fold
    s3, bucket, table = clients.s3(), work.settings.data_bucket, work.settings.state_table
    reference = baselines.load_reference(s3, bucket, config.model, champion.baseline)
    gathered = counted(work, prefix) if prefix else read(work, reference) if reference else None
    if gathered is None or reference is None:
        tell(request, config, fold.gauges())
        return {}
    if config.labels.label_horizon_days is None and gathered.learnt.days is not None and not request.is_aside:
        windows.save_horizon(clients.dynamodb(), table, config.model, gathered.learnt.days)
    place = QualityPlace(bucket, table, champion.baseline)
    quality = measure_window(request, config, gathered, reference, place=place)
    document = quality.to_json(PARTS)
    key = f"{report_prefix(request, champion.baseline)}/{layout.PERFORMANCE}"
    # What the fold took is no finding about the window: told to the timeline, it would tell every rerun as news.
    reports.save_json(s3, bucket, key, document | {"join": fold.to_json() | gathered.labels.coverage()})
    tell(request, config, fold.gauges() | gauges(quality), quality)
    if not request.is_aside:
        window = body_of(request)
        detail = {"package_version": champion.package_version, "window": window, **document}
        # Measured once more, a window has more labels, or Athena's sums in another order, which differ in their last digits.
        name = f"{champion.package_version} {window['start']} {window['end']}"
        timeline.record(s3, bucket, Entry(config.model, "performance_measured", request.time, detail), name=name)
    return {"performance_key": key, "new_labelled_rows": gathered.new_labelled_rows}


def counted(work: WindowToMeasure, prefix: str) -> GatheredWindow | None:
    """What Athena has counted of the window; None where nothing was answered."""
    bucket = work.settings.data_bucket
    plan = plan_of(work.request, work.config, work.champion, bucket=bucket)
    unmatched = work.stretch.fold.unknown_lately
    return plan.gathered(counted_at(prefix, bucket=bucket), unmatched=unmatched, notes=work.notes)


def read(work: WindowToMeasure, reference: Reference) -> GatheredWindow | None:
    """What this function counts of the window's rows; None where nothing was answered."""
    s3, bucket, stretch = clients.s3(), work.settings.data_bucket, work.stretch
    request, config, champion = work.request, work.config, work.champion
    joined = joined_in_memory(s3, bucket, config, champion, stretch.start, request.window.end)
    if joined is None:
        return None
    now, unmatched = request.time.timestamp(), stretch.fold.unknown_lately
    rows = labelled_rows(joined, config, now=now, unmatched=unmatched, classes=classes_now(config, bucket))
    labels = config.labels
    learnt = rows.horizon(labels.horizon_quantile, labels.classes)
    horizon = believed_horizon(learnt, configured=labels.label_horizon_days, remembered=stretch.horizon_days)
    rows = with_values_beside(rows, work.settings, config, request.time)
    window = AnsweredWindow(request, config, rows, horizon, learnt, work.notes, champion.training_end)
    slices = baselines.load_slices(s3, bucket, config.model, champion.baseline)
    return gather_rows(window, reference, slices.shown_as(config.hidden) if slices else None)


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


def body_of(request: JudgeRequest) -> dict[str, str]:
    """The window as messages carry it."""
    window: dict[str, str] = request.window.model_dump(mode="json")
    return window
