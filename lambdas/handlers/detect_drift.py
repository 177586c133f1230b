"""Judge a window against its baseline, keep the report, and tell people what they should know."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from kedge.config.gauges import sent
from kedge.errors import WindowRefusedError
from kedge.instants import to_text
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import clients, metrics, queues
from lambdas.adapters.bucket import days, history, layout, package_schemas, reports
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state import windows
from lambdas.adapters.state.windows import StoredWindow
from lambdas.adapters.telling import desk_of
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.judge_window import Judged, JudgePlace, judge_window
from lambdas.steps.release.held_promise import hold_to_promise
from lambdas.steps.requests import JudgeRequest, is_direct
from lambdas.steps.served_then import champion_of, report_prefix
from lambdas.steps.tell_window import WindowDesk, tell
from report.drift_page import render_drift_page
from report.ranking import verdict_of


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    decision_queue_url: str
    page_queue_url: str
    alert_topic_arn: str
    event_topic_arn: str


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge, keep, tell, and pass on to the decision."""
    request, settings = JudgeRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model, settings.data_bucket)
    champion = champion_of(clients.dynamodb(), settings.state_table, request)
    if champion is None:
        return {"severity": None, "reason": f"{request.model} is not deployed"}
    config = package_schemas.load(clients.s3(), settings.data_bucket, config, champion.baseline)
    place = JudgePlace(settings.data_bucket, settings.state_table, config, champion.package_version)
    judged = judge_window(request, place, champion.baseline)
    report = judged.report
    if is_direct(event) and not report.rows:
        refuse_empty(request, place)
    key = keep(judged, request, place)
    answer = {
        "severity": verdict_of(judged.to_json()),
        "report_key": key,
        "rows": report.rows,
        "package": place.package_version,
        "digest": report.manifests_digest,
    }
    if request.is_aside:
        logger.info("judged on the side", model=request.model, severity=report.severity.value, report=key)
        return answer
    remember(judged, request, place)
    history.note_window(settings.data_bucket, judged.to_json(), key)
    desk = desk_of(settings)
    tell(judged, key, WindowDesk(place, desk, request.time))
    hold_to_promise(judged, champion, place, request, desk)
    pass_on(request, settings)
    ask_for_page(request, settings)
    logger.info("judged", model=request.model, severity=report.severity.value, rows=report.rows, report=key)
    return answer if is_direct(event) else {"severity": report.severity.value, "report_key": key}


def pass_on(request: JudgeRequest, settings: Settings) -> None:
    """Have it decided whether to retrain, unless a newer window was judged already."""
    newest = windows.newest_end(clients.dynamodb(), settings.state_table, request.model)
    if newest is None or newest <= request.window.end:
        body = {"model": request.model, "time": to_text(request.time)}
        queues.send(clients.sqs(), settings.decision_queue_url, body)
        return
    # At the time of an older window it would not know what was started since. The next window decides with this one.
    logger.info("judged late, nothing decided", model=request.model, newest=to_text(newest))


def ask_for_page(request: JudgeRequest, settings: Settings) -> None:
    """Have the model's page renewed; a window is judged and told whether or not its page can be."""
    body = {"model": request.model, "time": to_text(request.time), "window_end": to_text(request.window.end)}
    if not queues.try_to_send(clients.sqs(), settings.page_queue_url, body):
        logger.warning("the page was not asked for", model=request.model)


def refuse_empty(request: JudgeRequest, place: JudgePlace) -> None:
    """Say to a person why there is nothing to judge."""
    version, start, end = place.package_version, request.window.start, request.window.end
    found = days.counted_days(clients.s3(), place.bucket, request.model, first=date.min + timedelta(days=1))
    own = [day for day, keys in found.items() if any(key.split("/")[-2] == version for key in keys)]
    stretch = f"from {to_text(start)} to {to_text(end)}"
    if not own:
        known = f"none of its requests have been counted on any day; `kedge backfill {request.model}` counts captures that are there"
    elif end.date() <= own[0]:
        known = f"its first captures that were counted are of {own[0]}"
    else:
        known = (
            f"its counted days go from {own[0]} to {own[-1]}; `kedge backfill {request.model}` counts captures that are there, and "
            "those that have expired cannot be counted any more"
        )
    raise WindowRefusedError(
        model=request.model, reason=f"package version {version} has no counted request {stretch}: {known}"
    )


def keep(judged: Judged, request: JudgeRequest, place: JudgePlace) -> str:
    """Write the report, its page and Model Monitor's files; a rerun on the same objects overwrites itself."""
    report = judged.report
    s3, prefix = clients.s3(), report_prefix(request, report.baseline)
    for name, content in judged.monitor_files.items():
        reports.save_json(s3, place.bucket, f"{prefix}/{name}.json", content)
    # On the side each window has a place of its own, and one report.
    key = f"{prefix}/{layout.ASIDE_DRIFT if request.is_aside else layout.drift_name(report.revision)}"
    reports.save_json(s3, place.bucket, key, judged.to_json())
    reports.save_page(s3, place.bucket, key.replace(".json", ".html"), render_drift_page(judged.to_page()))
    if request.is_aside:
        return key
    faults = sum(check.severity >= Severity.WARNING for check in report.quality)
    values = {
        "DriftSeverity": report.severity.rank,
        "ColumnsDrifted": len(report.drifted),
        "WindowRows": report.rows,
        "QualityChecksFailed": faults,
    }
    metrics.put(clients.cloudwatch(), model=report.model, values=sent(values, place.config.metrics), time=request.time)
    return key


def remember(judged: Judged, request: JudgeRequest, place: JudgePlace) -> None:
    """Leave the window's verdicts where the decision finds them: what the columns say, for no model mends a silent endpoint."""
    report, answers = judged.report, judged.verdicts
    verdict = WindowVerdict(
        report.start,
        report.end,
        report.columns_severity,
        answers.measured,
        answers.estimated,
        report.less_confident,
        judged.quality.right if judged.quality else None,
        judged.quality.right_estimated if judged.quality else None,
    )
    live, estimates = (judged.quality.judged_metrics, judged.quality.judged_estimates) if judged.quality else ((), ())
    window = StoredWindow(
        verdict,
        place.package_version,
        report.manifests_digest,
        report.revision,
        request.new_labelled_rows,
        judged.new_rows_by_hour,
        live,
        estimates,
    )
    windows.save_window(clients.dynamodb(), place.table, report.model, window)
