"""A window gathered from its hours, with the facts beside its columns, and judged with its measured quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kedge.config.capture_place import sampled_percentage
from kedge.config.model import ModelConfig
from kedge.drift.report import DriftReport, VariantReport, judge_drift
from kedge.drift.seasonal_baseline import SeasonalBaseline
from kedge.drift.window_quality import WindowFacts, by_hour, judge_window_quality
from kedge.model_monitor import constraint_violations, window_statistics
from kedge.performance.verdicts import QualityVerdicts
from kedge.performance.window import not_measured
from kedge.profile.baseline import Baseline
from kedge.quality.kept import KeptQuality
from kedge.quality.window import WindowQuality
from lambdas.adapters import clients, metrics
from lambdas.adapters.bucket import baselines, days, kept_quality, layout, reports
from lambdas.adapters.release import trials
from lambdas.adapters.state import served, windows
from lambdas.steps.earlier_hours import Ruler, load_seasonal_baseline
from lambdas.steps.requests import CADENCES, JudgeRequest
from lambdas.steps.window_days import WindowDays, summed

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class JudgePlace:
    """Whose window it is, and where its facts are found."""

    bucket: str
    table: str
    config: ModelConfig
    package_version: str

    @property
    def sampled_fraction(self) -> float:
        """The share of the requests that is captured."""
        return sampled_percentage(self.config, self.package_version) / 100

    @property
    def cadence(self) -> timedelta:
        """How much of a window is new when it is judged."""
        return CADENCES[self.config.cadence.judge]


def gather_facts(place: JudgePlace, request: JudgeRequest, counted: WindowDays) -> WindowFacts:
    """Put together what the champion's days, the state table and CloudWatch know of the window."""
    start, end, facts = request.window.start, request.window.end, own_facts(place, request, counted)
    # A package promoted within the new stretch has not answered all of it.
    return with_stretch(facts, place, request, counted) if end - place.cadence >= start else facts


def own_facts(place: JudgePlace, request: JudgeRequest, counted: WindowDays) -> WindowFacts:
    """What some days know of the window by themselves."""
    start, end = request.window.start, request.window.end
    return WindowFacts(
        end,
        place.cadence,
        by_hour(counted.rows_read, start, end),
        rows_counted=sum(by_hour(counted.rows, start, end)),
        records=sum(sum(hours.values()) for hours in counted.requests.values()),
        quarantined=counted.quarantined,
        duplicates=counted.duplicates,
    )


def with_stretch(facts: WindowFacts, place: JudgePlace, request: JudgeRequest, counted: WindowDays) -> WindowFacts:
    """Add what is known of the stretch that is new since the last judgement."""
    end = request.window.end
    # A champion that shares the requests with a version in an A/B test has fewer rows than the weeks before, and nothing is wrong.
    shared = trials.overlap(trials.load(clients.dynamodb(), place.table, place.config.model), end - place.cadence, end)
    facts = facts if shared else replace(facts, earlier_weeks=earlier_weeks(place, end))
    if not place.config.has_endpoint:
        return facts
    invocations = sum(invocations_by_variant(place, end - place.cadence, end).values())
    return replace(
        facts,
        invocations=invocations,
        requests=count_requests(place, request, counted),
        sampled_fraction=place.sampled_fraction,
    )


def invocations_by_variant(place: JudgePlace, start: datetime, end: datetime) -> dict[str, int]:
    """Requests that each production variant answered, as CloudWatch counted them."""
    endpoint = place.config.endpoint
    named = [(endpoint.name, variant) for variant in endpoint.served_variants]
    counts = metrics.endpoint_invocations(clients.cloudwatch(), named, start=start, end=end)
    return {variant: count for (_, variant), count in counts.items()}


def earlier_weeks(place: JudgePlace, end: datetime) -> list[tuple[int, ...]]:
    """Rows of the same hours in earlier weeks, whichever package answered them, as they were judged then."""
    ends = [end - week * _WEEK for week in range(1, place.config.quality.volume_weeks + 1)]
    found = [windows.load_window(clients.dynamodb(), place.table, place.config.model, end) for end in ends]
    hours = place.cadence // timedelta(hours=1)
    return [window.rows_by_hour for window in found if window is not None and len(window.rows_by_hour) == hours]


def count_requests(place: JudgePlace, request: JudgeRequest, counted: WindowDays) -> int:
    """Captured requests of the new stretch, of every package that answered: the endpoint counts them together."""
    model, start, end = place.config.model, request.window.end - place.cadence, request.window.end
    answered = sum(by_hour(counted.requests, start, end))
    for version in answering(place, request, start):
        if version != place.package_version:
            found = days.each_day(
                clients.s3(),
                place.bucket,
                layout.profile_days_prefix(model, version, version),
                first=start.date(),
                last=(end - timedelta(microseconds=1)).date(),
            )
            answered += sum(by_hour({day: each.requests for day, each in found}, start, end))
    return answered


def answering(place: JudgePlace, request: JudgeRequest, start: datetime) -> set[str]:
    """The packages that may have answered since; the state table forgets them within a week, what was counted stays."""
    model = place.config.model
    if not request.is_aside:
        return {*served.load(clients.dynamodb(), place.table, model, now=request.time)}
    last = (request.window.end - timedelta(microseconds=1)).date()
    found = days.packages_by_day(clients.s3(), place.bucket, model, start.date(), last)
    return {version for versions in found.values() for version in versions}


@dataclass(frozen=True)
class Judged:
    """A window's report and quality, the rows of each hour that was new, and what Model Monitor would write beside it."""

    report: DriftReport
    quality: KeptQuality | None
    new_rows_by_hour: tuple[int, ...]
    monitor_files: Mapping[str, Mapping[str, Any]]

    @property
    def verdicts(self) -> QualityVerdicts:
        """The verdicts on its answers."""
        return self.quality.verdicts if self.quality else QualityVerdicts()

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, with the bars of the answers: the model's page shows them then and now."""
        answers = {c.column.name for c in self.report.columns if c.column.role == "prediction"}
        bars = {name: dict(bars) for name, bars in self.report.histograms().items() if name in answers}
        return self.report.to_json() | ({"histograms": bars} if bars else {}) | self._performance()

    def to_page(self) -> dict[str, Any]:
        """The report with the histograms that its page shows."""
        return self.report.to_page() | self._performance()

    def _performance(self) -> dict[str, Any]:
        return {"performance": dict(self.quality.document)} if self.quality else {}


def judge_window(request: JudgeRequest, place: JudgePlace, baseline_name: str) -> Judged:
    """Sum the window's hours and judge them with what the labels say."""
    s3, bucket, config = clients.s3(), place.bucket, place.config
    start, end = request.window.start, request.window.end
    baseline = baselines.load_baseline(s3, bucket, config.model, baseline_name)
    there = days.each_day(
        s3,
        bucket,
        layout.profile_days_prefix(config.model, place.package_version, baseline_name),
        first=start.date(),
        last=(end - timedelta(microseconds=1)).date(),
    )
    counted = summed(baseline, there, request.window, config.endpoint.variants)
    before = windows.load_window(clients.dynamodb(), place.table, config.model, end)
    facts = gather_facts(place, request, counted)
    earlier = load_seasonal_baseline(Ruler(bucket, config, place.package_version, baseline), request.window)
    report = judge_drift(
        baseline,
        counted.total,
        config,
        start=start,
        end=end,
        revision=1 if before is None else before.revision + (before.digest != counted.digest.name),
        manifests_digest=counted.digest.name,
        window_checks=judge_window_quality(facts, config.quality),
        before=earlier.profile if earlier else None,
        design_effects=counted.blocks.design_effects(),
        judgements=1 + len(config.endpoint.variants),
    )
    report = replace(report, variants=judge_variants(place, request, baseline, counted, earlier))
    report = report.judged_against(earlier.sources, earlier.notes) if earlier else report
    left_out = sum(facts.rows_by_hour) - (facts.rows_counted or 0)
    report = report.sampled(place.sampled_fraction, left_out=left_out)
    files = {
        "statistics": window_statistics(baseline, counted.total),
        "constraint_violations": constraint_violations(report, config),
    }
    constraints = reports.load_json(
        s3, bucket, layout.beside_baseline_key(config.model, baseline_name, layout.CONSTRAINTS)
    )
    files |= {"constraints": constraints} if constraints else {}
    return Judged(report, known_quality(request, bucket), tuple(facts.stretch), files)


def judge_variants(
    place: JudgePlace,
    request: JudgeRequest,
    baseline: Baseline,
    counted: WindowDays,
    earlier: SeasonalBaseline | None,
) -> tuple[VariantReport, ...]:
    """Judge what each of several production variants answered, by the same baseline; they share the window's false alarms."""
    config, start, end = place.config, request.window.start, request.window.end
    if not config.endpoint.variants:
        return ()
    answered, fresh = end - place.cadence, invocations_by_variant(place, end - place.cadence, end)
    invocations, found = invocations_by_variant(place, start, end), []
    for name in config.endpoint.variants:
        own = counted.variants[name]
        facts = own_facts(place, request, own)
        if answered >= start:
            captured = sum(by_hour(own.requests, answered, end))
            facts = replace(facts, invocations=fresh[name], requests=captured, sampled_fraction=place.sampled_fraction)
        report = judge_drift(
            baseline,
            own.total,
            config,
            start=start,
            end=end,
            window_checks=judge_window_quality(facts, config.quality),
            before=earlier.profile if earlier else None,
            design_effects=own.blocks.design_effects(),
            judgements=1 + len(config.endpoint.variants),
        )
        found.append(VariantReport(name, invocations[name], sum(by_hour(own.requests, start, end)), report))
    return tuple(found)


def known_quality(request: JudgeRequest, bucket: str) -> KeptQuality | None:
    """What was measured of the window's answers; None where no package answered."""
    if request.not_measured is not None:
        return KeptQuality.of(WindowQuality(not_measured(request.not_measured)))
    return kept_quality.load(clients.s3(), bucket, request.performance_key) if request.performance_key else None
