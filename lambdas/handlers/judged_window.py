"""A window gathered from its hours, and judged with what the labels say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from kedge.day_profile import DayProfile, manifest_digest
from kedge.design_effect import design_effects
from kedge.drift import DriftReport, judge_drift
from kedge.performance import not_measured
from kedge.profile import Profile
from kedge.window_monitor_files import constraint_violations, window_statistics
from kedge.window_quality import judge_window_quality
from lambdas.adapters import baselines, clients, days, reports, windows
from lambdas.handlers.earlier_hours import Ruler, load_seasonal_baseline
from lambdas.handlers.requests import JudgeRequest, Window
from lambdas.handlers.window_facts import Place, gather_facts


@dataclass(frozen=True)
class Judged:
    """A window's report, the rows of each hour that was new, and what Model Monitor would write beside it."""

    report: DriftReport
    new_rows_by_hour: tuple[int, ...]
    monitor_files: Mapping[str, Mapping[str, Any]]


def judge_window(request: JudgeRequest, place: Place, baseline_name: str) -> Judged:
    """Sum the window's hours and judge them with what the labels say."""
    s3, bucket, config = clients.s3(), place.bucket, place.config
    start, end = request.window.start, request.window.end
    baseline = baselines.load_baseline(s3, bucket, config.model, baseline_name)
    counted = days.load_days(
        s3, bucket, model=config.model, package_version=place.package_version, baseline=baseline_name,
        first=start.date(), last=(end - timedelta(microseconds=1)).date(),
    )  # fmt: skip
    digest = manifest_digest({str(day): found.manifest for day, found in counted.items()})
    before = windows.load_window(clients.dynamodb(), place.table, config.model, end)
    performance = reports.load_json(s3, bucket, request.performance_key) if request.performance_key else None
    if request.not_measured is not None:
        performance = not_measured(request.not_measured)
    facts = gather_facts(place, request, counted)
    earlier = load_seasonal_baseline(Ruler(bucket, config, place.package_version, baseline), request.window)
    hours = window_hours(counted, request.window)
    window = sum(hours, start=baseline.empty())
    report = judge_drift(
        baseline, window, config, start=start, end=end,
        revision=1 if before is None else before.revision + (before.digest != digest), manifests_digest=digest,
        performance=performance, window_checks=judge_window_quality(facts, config.quality),
        before=earlier.profile if earlier else None, design_effects=design_effects(baseline, hours),
    )  # fmt: skip
    report = report.judged_against(earlier.sources, earlier.notes) if earlier else report
    files = {
        "statistics": window_statistics(baseline, window),
        "constraint_violations": constraint_violations(report, config),
    }
    constraints = reports.load_json(s3, bucket, f"baselines/{config.model}/{baseline_name}/constraints.json")
    return Judged(report, tuple(facts.stretch), files | ({"constraints": constraints} if constraints else {}))


def window_hours(counted: Mapping[date, DayProfile], window: Window) -> list[Profile]:
    """The hours that lie wholly in the window, in the order of time."""
    hours = {}
    for day, found in counted.items():
        for hour, profile in found.hours.items():
            begins = window.start.replace(
                year=day.year, month=day.month, day=day.day, hour=hour, minute=0, second=0, microsecond=0
            )
            if window.start <= begins < window.end:
                hours[begins] = profile
    return [hours[begins] for begins in sorted(hours)]
