"""One window judged against its baseline: data drift, prediction drift and data quality, with the reasons in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.drift.alert_budget import window_level
from kedge.drift.column import ColumnReport
from kedge.drift.column_quality import QualityCheck
from kedge.drift.confidence import ConfidenceReport
from kedge.drift.histograms import histograms
from kedge.drift.judge import judge_columns
from kedge.drift.measured_drift import MeasuredDrift, measure_drift
from kedge.drift.unjudged import unjudged_side
from kedge.instants import to_text
from kedge.profile.baseline import Baseline, Profile
from kedge.severity import Severity, worst

__all__ = ["ColumnReport", "DriftReport", "VariantReport", "judge_drift"]


@dataclass(frozen=True)
class DriftReport:
    """A judged window."""

    model: str
    baseline: str
    start: datetime
    end: datetime
    rows: int
    revision: int
    manifests_digest: str
    columns: tuple[ColumnReport, ...]
    quality: tuple[QualityCheck, ...]
    histograms: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    minimum_rows: int = 1
    notes: tuple[str, ...] = ()
    decision: Mapping[str, Any] = field(default_factory=dict)
    confidence: ConfidenceReport | None = None
    sampled_fraction: float = 1.0
    variants: tuple[VariantReport, ...] = ()
    unjudged: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst of the tests that ran; a quality check that found nothing does not make a blind window OK."""
        found = [check.severity for check in self.quality if check.severity >= Severity.WARNING]
        found += [v.report.severity for v in self.variants if v.report.severity >= Severity.WARNING]
        return worst([self.columns_severity, *found, *([self.less_confident] if self.less_confident else [])])

    @property
    def less_confident(self) -> Severity | None:
        """How far the answers' confidence has fallen; None where they have none."""
        return self.confidence.severity if self.confidence is not None else None

    @property
    def columns_severity(self) -> Severity:
        """The worst verdict on a column: what a retraining can correct, and whether there was anything to judge."""
        own = [column.severity for column in self.columns]
        return worst([*own, *(variant.report.columns_severity for variant in self.variants)])

    @property
    def drifted(self) -> tuple[ColumnReport, ...]:
        """Columns whose distribution moved, the worst first; equally bad ones by relevance (effect times importance)."""
        found = [c for c in self.columns if c.drift >= Severity.WARNING]
        return tuple(sorted(found, key=lambda c: (-c.drift.rank, -c.relevance, -(c.effect or 0.0))))

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was found, worst first, or that nothing moved; then what cannot be judged."""
        return (*self.findings, *self.unjudged)

    @property
    def findings(self) -> tuple[str, ...]:
        """What was found, worst first; or that nothing moved."""
        weight = {c.column.name: c.importance or 0.0 for c in self.columns}
        found = sorted(self.quality, key=lambda q: -weight.get(q.column, 1.0))
        told = [(q.severity, q.reason) for q in found if q.severity >= Severity.WARNING]
        told += [(c.drift, c.reason) for c in self.drifted]
        if self.confidence is not None and self.confidence.severity >= Severity.WARNING:
            told.append((self.confidence.severity, self.confidence.reason))
        told += [told_of for variant in self.variants for told_of in variant.told]
        if told:
            return tuple(reason for _, reason in sorted(told, key=lambda reason: -reason[0].rank))
        blind = [c for c in self.columns if c.drift is Severity.INSUFFICIENT_DATA]
        if len(blind) < len(self.columns):
            return (
                f"no column of {len(self.columns) - len(blind)} moved beyond its limits",
                *(c.reason for c in blind),
            )
        if self.rows < self.minimum_rows:
            return (f"the window has {counted(self.rows, 'row')}; {self.minimum_rows:,} are needed to judge drift",)
        return tuple(c.reason for c in blind)

    def judged_against(self, sources: Mapping[str, str], notes: Sequence[str] = ()) -> DriftReport:
        """The report, with marks on the columns whose baseline is not the training data.

        Parameters
        ----------
        sources : mapping of str to str
            The baseline of each such column.
        notes : sequence of str
            Columns that should have had another baseline, in words.
        """
        columns = tuple(replace(c, against=sources.get(c.column.name)) for c in self.columns)
        return replace(self, columns=columns, notes=tuple(notes))

    def sampled(self, fraction: float, *, left_out: int = 0) -> DriftReport:
        """The report of a window that was captured, or counted, only in part, with the volume that its rows stand for.

        The rows themselves are judged as they are: what a test may conclude rests on what was counted.

        Parameters
        ----------
        fraction : float
            The share of the requests that is captured.
        left_out : int
            Rows that were captured, and not counted.
        """
        if fraction >= 1 and not left_out:
            return self
        captured, notes = self.rows + left_out, list(self.notes)
        counted_share = self.rows / captured if self.rows else 1.0
        if left_out:
            notes.append(
                f"{self.rows:,} of the {counted(captured, 'captured row')} are counted: a sample, chosen by their ids "
                "(capture.counted_percentage)"
            )
        if fraction < 1:
            notes.append(
                f"the endpoint captures {fraction:.0%} of its requests: the window's {counted(captured, 'row')} stand for about "
                f"{round(captured / fraction):,}"
            )
        return replace(self, sampled_fraction=fraction * counted_share, notes=tuple(notes))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        report: dict[str, Any] = {
            "model": self.model,
            "baseline": self.baseline,
            "window": {"start": to_text(self.start), "end": to_text(self.end), "rows": self.rows},
            "revision": self.revision,
            "manifests_digest": self.manifests_digest,
            "severity": self.severity.value,
            "reasons": list(self.reasons),
            "decision": dict(self.decision),
            "columns": [column.to_json() for column in self.columns],
            "quality": [check.to_json() for check in self.quality],
        }
        if self.sampled_fraction < 1:
            estimated = round(self.rows / self.sampled_fraction)
            report["window"] |= {"sampled_fraction": self.sampled_fraction, "rows_estimated": estimated}
        report |= {"notes": list(self.notes)} if self.notes else {}
        report |= {"unjudged": list(self.unjudged)} if self.unjudged else {}
        answered = sum(variant.invocations for variant in self.variants)
        report |= {"variants": [variant.to_json(of=answered) for variant in self.variants]} if self.variants else {}
        return report | ({"confidence": self.confidence.to_json()} if self.confidence is not None else {})

    def to_page(self) -> dict[str, Any]:
        """The report with the histograms that its page shows."""
        return self.to_json() | {"histograms": {name: dict(bars) for name, bars in self.histograms().items()}}


@dataclass(frozen=True)
class VariantReport:
    """What one of several production variants answered in the window, judged like the whole.

    Attributes
    ----------
    invocations : int
        Requests that it answered, as CloudWatch counted them.
    requests : int
        Those of them that were captured.
    """

    name: str
    invocations: int
    requests: int
    report: DriftReport

    @property
    def told(self) -> list[tuple[Severity, str]]:
        """What is wrong with it, each with its severity."""
        found = self.report
        if found.severity < Severity.WARNING:
            return []
        return [(found.severity, f"variant {self.name}: {reason}") for reason in found.findings]

    def to_json(self, *, of: int) -> dict[str, Any]:
        """Its part of the report; `of` are the requests that all variants answered."""
        found = self.report
        traffic = {"traffic_fraction": self.invocations / of} if of else {}
        return {
            "name": self.name,
            "severity": found.severity.value,
            "rows": found.rows,
            "invocations": self.invocations,
            "captured": self.requests,
            **traffic,
            "drifted": [column.column.name for column in found.drifted],
            "reasons": list(found.findings),
        }


def judge_drift(  # noqa: PLR0913  # each is a separate fact about the window, and most callers have few
    baseline: Baseline,
    window: Profile,
    config: ModelConfig,
    *,
    start: datetime,
    end: datetime,
    revision: int = 1,
    manifests_digest: str = "",
    window_checks: Sequence[QualityCheck] = (),
    before: Profile | None = None,
    design_effects: Mapping[str, float] | None = None,
    judgements: int = 1,
    measured: MeasuredDrift | None = None,
) -> DriftReport:
    """Judge a window: data drift on the features, prediction drift on the answers, and data quality.

    A column has moved when its p-value, Holm-corrected over every test of the run, is below the window's share of the alert
    budget (`window_level`) *and* its effect exceeds the effect without drift by at least a floor. The p-value alone would call
    every large window drifted, the effect alone every small one. With `drift.rule: psi` limits on the raw PSI decide instead.
    Data quality (missing, type, range, unseen levels) is tested in the same family.

    Parameters
    ----------
    baseline : Baseline
    window : Profile
        The sum of the window's hours, cut with the same baseline.
    window_checks : sequence of QualityCheck
        Checks of the window as a whole: its volume, its age, its captured requests.
    before : Profile, optional
        The rows that drift is compared with, cut with the same baseline; by default the baseline's own rows. Data quality
        is always compared with the baseline's own rows, or a long fault would become normal.
    design_effects : mapping of str to float, optional
        How many of the window's rows count as one independent row, by column (`kedge.profile.design_effect`). The larger of this and the
        baseline's own divides both sides' sizes.
    judgements : int
        How many judgements of one window share its part of the alert budget: of the whole, and of each production variant.
    measured : MeasuredDrift, optional
        As `measure_drift` gives it of the same window, where several rules judge it: each column is measured once for all.
    """
    policy, judged = config.drift, baseline if before is None else replace(baseline, profile=before)
    if measured is None:
        level = window_level(policy.alert_budget_per_year, end - start) / judgements
        measured = measure_drift(baseline, window, config, level=level, before=before, design_effects=design_effects)
    found, confidence = judge_columns(baseline, measured.columns, config), measured.confidence
    return DriftReport(
        config.model,
        baseline.baseline,
        start,
        end,
        window.rows,
        revision,
        manifests_digest,
        found.columns,
        (*found.quality, *window_checks),
        partial(histograms, judged, window, {name for name, hides in config.hidden.items() if hides}),
        policy.minimum_rows,
        decision={"rule": policy.rule, "level": measured.columns.level, "tests": measured.columns.tests},
        confidence=confidence.judged(found.derived[0]) if confidence else None,
        unjudged=unjudged_side(config),
    )
