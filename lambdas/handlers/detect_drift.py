"""Judge a window against its baseline, keep the report, and tell people what they should know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kedge.alert_rules import alert_severity, newly_blind
from kedge.day_profile import DayProfile, manifest_digest
from kedge.design_effect import design_effects
from kedge.drift import DriftReport, judge_drift
from kedge.model_config import ModelConfig
from kedge.profile import Profile
from kedge.retraining import WindowVerdict
from kedge.severity import Severity
from kedge.sustained import sustained
from kedge.window_monitor_files import constraint_violations, window_statistics
from kedge.window_quality import judge_window_quality
from lambdas.adapters import alerts, audit, baselines, champions, clients, days, metrics, queues, reports, windows
from lambdas.adapters.alerts import Topics
from lambdas.adapters.champions import Champion
from lambdas.adapters.models import load_model
from lambdas.adapters.times import to_text
from lambdas.adapters.windows import JudgedWindow
from lambdas.handlers.earlier_hours import Ruler, load_seasonal_baseline
from lambdas.handlers.logs import logger, tracer
from lambdas.handlers.requests import CADENCES, JudgeRequest
from lambdas.handlers.window_facts import Place, gather_facts
from lambdas.settings import Settings as Environment
from report.drift_page import render_drift_page


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    decision_queue_url: str
    alert_topic_arn: str
    event_topic_arn: str


@dataclass(frozen=True)
class Judged:
    """A window's report, the rows of each hour that was new, and what Model Monitor would write beside it."""

    report: DriftReport
    new_rows_by_hour: tuple[int, ...]
    monitor_files: Mapping[str, Mapping[str, Any]]


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge, keep, tell, and pass on to the decision."""
    request, settings = JudgeRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model)
    champion = champions.load(clients.dynamodb(), settings.state_table, request.model)
    if champion is None:
        return {"severity": None, "reason": f"{request.model} is not deployed"}
    judged = judge(request, settings, config, champion)
    report = judged.report
    key = keep(judged, request, settings)
    remember(judged, request, settings, champion)
    tell(report, key, request, settings, config)
    queues.send(clients.sqs(), settings.decision_queue_url, {"model": request.model, "time": to_text(request.time)})
    logger.info("judged", model=request.model, severity=report.severity.value, rows=report.rows, report=key)
    return {"severity": report.severity.value, "report_key": key}


def judge(request: JudgeRequest, settings: Settings, config: ModelConfig, champion: Champion) -> Judged:
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
    facts = gather_facts(Place(bucket, settings.state_table, config, champion.package_version), request, counted)
    earlier = load_seasonal_baseline(Ruler(bucket, config, champion.package_version, baseline), request.window)
    hours = window_hours(counted, request)
    window = sum(hours, start=baseline.empty())
    report = judge_drift(
        baseline, window, config, start=start, end=end, revision=revision, manifests_digest=digest,
        performance=performance, window_checks=judge_window_quality(facts, config.quality),
        before=earlier.profile if earlier else None, design_effects=design_effects(baseline, hours),
    )  # fmt: skip
    report = report.judged_against(earlier.sources, earlier.notes) if earlier else report
    files = {
        "statistics": window_statistics(baseline, window),
        "constraint_violations": constraint_violations(report, config),
    }
    constraints = reports.load_json(s3, bucket, f"baselines/{config.model}/{champion.baseline}/constraints.json")
    return Judged(report, tuple(facts.stretch), files | ({"constraints": constraints} if constraints else {}))


def window_hours(counted: Mapping[Any, DayProfile], request: JudgeRequest) -> list[Profile]:
    """The hours that lie wholly in the window, in the order of time."""
    hours = {}
    for day, found in counted.items():
        for hour, profile in found.hours.items():
            begins = request.window.start.replace(
                year=day.year, month=day.month, day=day.day, hour=hour, minute=0, second=0, microsecond=0
            )
            if request.window.start <= begins < request.window.end:
                hours[begins] = profile
    return [hours[begins] for begins in sorted(hours)]


def keep(judged: Judged, request: JudgeRequest, settings: Settings) -> str:
    """Write the report, its page and Model Monitor's files; a rerun on the same objects overwrites itself."""
    report = judged.report
    s3, prefix = clients.s3(), reports.window_prefix(report.model, report.baseline, report.end)
    for name, content in judged.monitor_files.items():
        reports.save_json(s3, settings.data_bucket, f"{prefix}/{name}.json", content)
    document = report.to_json()
    key = f"{prefix}/drift-r{report.revision}.json"
    reports.save_json(s3, settings.data_bucket, key, document)
    reports.save_page(s3, settings.data_bucket, key.replace(".json", ".html"), render_drift_page(report.to_page()))
    faults = sum(check.severity >= Severity.WARNING for check in report.quality)
    values = {
        "DriftSeverity": report.severity.rank, "ColumnsDrifted": len(report.drifted), "WindowRows": report.rows,
        "QualityChecksFailed": faults,
    }  # fmt: skip
    metrics.put(clients.cloudwatch(), model=report.model, values=values, time=request.time)
    return key


def remember(judged: Judged, request: JudgeRequest, settings: Settings, champion: Champion) -> None:
    """Leave the window's verdicts where the decision finds them: what the columns say, for no model mends a silent endpoint."""
    report = judged.report
    verdict = WindowVerdict(
        report.start, report.end, report.columns_severity, report.measured, report.estimated, report.less_confident
    )
    window = JudgedWindow(
        verdict, champion.package_version, report.manifests_digest, report.revision, request.new_labelled_rows, judged.new_rows_by_hour,
    )  # fmt: skip
    windows.save_window(clients.dynamodb(), settings.state_table, report.model, window)


def tell(report: DriftReport, key: str, request: JudgeRequest, settings: Settings, config: ModelConfig) -> None:
    """Write the timeline; alert once per window and severity where the model's YAML wants it."""
    detail = timeline_detail(report, key)
    audit.record(
        clients.s3(), settings.data_bucket, model=report.model, kind="window_judged", time=request.time, detail=detail
    )
    severity = alert_severity(report.severity, lasting(report, settings, config), report.estimated, report.unequal)
    if severity < Severity(config.alerts.severity_from):
        if not is_blind(report, settings, config):
            return
        severity = Severity.INSUFFICIENT_DATA
    alert(detail | {"severity": severity.value, "on_drift": config.retraining.on_drift}, request, settings)


def lasting(report: DriftReport, settings: Settings, config: ModelConfig) -> Severity | None:
    """What the labels say; a loss that has not lasted as long as the YAML asks for is a warning."""
    policy = config.performance
    if report.measured is not Severity.CRITICAL or policy.breaches == 1:
        return report.measured
    since = report.end - 2 * policy.of_windows * (report.end - report.start)
    found = windows.load_windows(clients.dynamodb(), settings.state_table, report.model, since=since)
    known = [w.verdict for w in found if w.package_version == report.baseline and w.verdict.end <= report.end]
    measured = [w for w in known if w.performance not in (None, Severity.INSUFFICIENT_DATA)]
    lost = [w.performance is Severity.CRITICAL for w in measured]
    lasts = sustained(measured, lost, breaches=policy.breaches, of_windows=policy.of_windows)
    return Severity.CRITICAL if lasts[-1:] == [True] else Severity.WARNING


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
    wanted = ("window", "revision", "severity", "reasons", "performance", "confidence")
    detail = {name: document[name] for name in wanted if name in document}
    # What moved and matters leads: whoever shortens the list keeps its beginning.
    ranked = sorted(report.columns, key=lambda c: (-c.severity.rank, -c.relevance))
    columns = [
        {"name": c.column.name, "severity": c.severity.value, "effect": c.effect, "psi": c.statistics.get("psi")}
        | ({} if c.importance is None else {"importance": c.importance})
        for c in ranked
    ]
    return detail | {"report_key": key, "package_version": report.baseline, "columns": columns}


def is_blind(report: DriftReport, settings: Settings, config: ModelConfig) -> bool:
    """Whether this is the second window in a row in which nothing could be judged."""
    if alert_severity(report.columns_severity, report.measured) is not Severity.INSUFFICIENT_DATA:
        return False
    ends = [report.end - n * CADENCES[config.cadence.judge] for n in (1, 2)]
    found = [windows.load_window(clients.dynamodb(), settings.state_table, report.model, end) for end in ends]
    blind = [window is not None and window.verdict.drift is Severity.INSUFFICIENT_DATA for window in found]
    return newly_blind([True, *blind])
