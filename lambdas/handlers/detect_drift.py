"""Judge a window against its baseline, keep the report, and tell people what they should know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kedge.day_profile import DayProfile, manifest_digest
from kedge.drift import DriftReport, judge_drift
from kedge.model_config import ModelConfig
from kedge.profile import Baseline, Profile
from kedge.retraining import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters import alerts, audit, baselines, champions, clients, days, metrics, queues, reports, windows
from lambdas.adapters.alerts import Topics
from lambdas.adapters.champions import Champion
from lambdas.adapters.models import load_model
from lambdas.adapters.times import to_text
from lambdas.adapters.windows import JudgedWindow
from lambdas.handlers.logs import logger, tracer
from lambdas.handlers.requests import CADENCES, JudgeRequest
from lambdas.settings import Settings as Environment
from report.drift_page import render_drift_page


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    decision_queue_url: str
    alert_topic_arn: str
    event_topic_arn: str


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge, keep, tell, and pass on to the decision."""
    request, settings = JudgeRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model)
    champion = champions.load(clients.dynamodb(), settings.state_table, request.model)
    if champion is None:
        return {"severity": None, "reason": f"{request.model} is not deployed"}
    report = judge(request, settings, config, champion)
    key = keep(report, request, settings)
    remember(report, request, settings, champion)
    tell(report, key, request, settings, config)
    queues.send(clients.sqs(), settings.decision_queue_url, {"model": request.model, "time": to_text(request.time)})
    logger.info("judged", model=request.model, severity=report.severity.value, rows=report.rows, report=key)
    return {"severity": report.severity.value, "report_key": key}


def judge(request: JudgeRequest, settings: Settings, config: ModelConfig, champion: Champion) -> DriftReport:
    """Sum the window's hours and judge them with what the labels say."""
    s3, bucket = clients.s3(), settings.data_bucket
    start, end = request.window.start, request.window.end
    baseline = baselines.load_baseline(s3, bucket, config.model, champion.baseline)
    counted = days.load_days(
        s3, bucket, model=config.model, package_version=champion.package_version, baseline=champion.baseline,
        first=start.date(), last=(end - timedelta(microseconds=1)).date(),
    )  # fmt: skip
    digest = manifest_digest({str(day): found.manifest for day, found in counted.items()})
    before = windows.load_window(clients.dynamodb(), settings.state_table, config.model, end)
    revision = 1 if before is None else before.revision + (before.digest != digest)
    performance = reports.load_json(s3, bucket, request.performance_key) if request.performance_key else None
    return judge_drift(
        baseline, window_profile(baseline, counted, request), config,
        start=start, end=end, revision=revision, manifests_digest=digest, performance=performance,
    )  # fmt: skip


def window_profile(baseline: Baseline, counted: dict[Any, DayProfile], request: JudgeRequest) -> Profile:
    """The sum of the hours that lie wholly in the window."""
    total = baseline.empty()
    for day, found in counted.items():
        for hour, profile in found.hours.items():
            begins = request.window.start.replace(
                year=day.year, month=day.month, day=day.day, hour=hour, minute=0, second=0, microsecond=0
            )
            if request.window.start <= begins < request.window.end:
                total = total + profile
    return total


def keep(report: DriftReport, request: JudgeRequest, settings: Settings) -> str:
    """Write the report and its page; a rerun on the same objects overwrites itself."""
    s3, prefix = clients.s3(), reports.window_prefix(report.model, report.baseline, report.end)
    document = report.to_json()
    key = f"{prefix}/drift-r{report.revision}.json"
    reports.save_json(s3, settings.data_bucket, key, document)
    reports.save_page(s3, settings.data_bucket, key.replace(".json", ".html"), render_drift_page(report.to_page()))
    values = {"DriftSeverity": report.severity.rank, "ColumnsDrifted": len(report.drifted), "WindowRows": report.rows}
    metrics.put(clients.cloudwatch(), model=report.model, values=values, time=request.time)
    return key


def remember(report: DriftReport, request: JudgeRequest, settings: Settings, champion: Champion) -> None:
    """Leave the window's verdicts where the decision finds them."""
    performance = Severity(report.performance["severity"]) if report.performance else None
    judged = JudgedWindow(
        WindowVerdict(report.start, report.end, report.severity, performance), champion.package_version,
        report.manifests_digest, report.revision, request.new_labelled_rows,
    )  # fmt: skip
    windows.save_window(clients.dynamodb(), settings.state_table, report.model, judged)


def tell(report: DriftReport, key: str, request: JudgeRequest, settings: Settings, config: ModelConfig) -> None:
    """Write the timeline; alert once per window and severity where the model's YAML wants it."""
    detail = timeline_detail(report, key)
    audit.record(
        clients.s3(), settings.data_bucket, model=report.model, kind="window_judged", time=request.time, detail=detail
    )
    severity = alert_severity(report)
    if severity >= Severity(config.alerts.severity_from) or is_blind(report, settings, config):
        alert(detail | {"severity": severity.value, "on_drift": config.retraining.on_drift}, request, settings)


def alert(detail: dict[str, Any], request: JudgeRequest, settings: Settings) -> None:
    """Send the alert, note it in the timeline, and remember both."""
    dynamodb, s3, bucket = clients.dynamodb(), clients.s3(), settings.data_bucket
    told = f"{detail['window']['end']}#{detail['severity']}"
    if windows.is_told(dynamodb, settings.state_table, request.model, told):
        return
    topics = Topics(settings.alert_topic_arn, settings.event_topic_arn)
    page = f"s3://{bucket}/{detail['report_key'].replace('.json', '.html')}"
    subject = alerts.publish(
        clients.sns(), topics, model=request.model, kind="window_judged", time=request.time,
        detail=detail | {"report": page},
    )  # fmt: skip
    sent = {name: detail[name] for name in ("severity", "window", "report_key")}
    audit.record(
        s3, bucket, model=request.model, kind="alert_sent", time=request.time, detail={"subject": subject, **sent}
    )
    windows.remember_told(dynamodb, settings.state_table, request.model, told, now=request.time)


def timeline_detail(report: DriftReport, key: str) -> dict[str, Any]:
    """The report without its statistics, as the timeline and the alert carry it."""
    document = report.to_json()
    wanted = ("window", "revision", "severity", "reasons", "performance")
    detail = {name: document[name] for name in wanted if name in document}
    columns = [
        {"name": c.column.name, "severity": c.severity.value, "effect": c.effect, "psi": c.statistics.get("psi")}
        for c in report.columns
    ]
    return detail | {"report_key": key, "package_version": report.baseline, "columns": columns}


def alert_severity(report: DriftReport) -> Severity:
    """The worse of drift and measured quality."""
    performance = Severity(report.performance["severity"]) if report.performance else Severity.INSUFFICIENT_DATA
    return max(report.severity, performance)


def is_blind(report: DriftReport, settings: Settings, config: ModelConfig) -> bool:
    """Whether this is the second window in a row in which nothing could be judged."""
    if alert_severity(report) is not Severity.INSUFFICIENT_DATA:
        return False
    ends = [report.end - n * CADENCES[config.cadence.judge] for n in (1, 2)]
    found = [windows.load_window(clients.dynamodb(), settings.state_table, report.model, end) for end in ends]
    blind = [window is not None and window.verdict.drift is Severity.INSUFFICIENT_DATA for window in found]
    return blind[0] and not blind[1]
