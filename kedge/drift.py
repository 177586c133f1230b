"""One window judged against its baseline: data drift, prediction drift and data quality, with the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from kedge.column_drift import ColumnEvidence, ColumnReport, judge_column
from kedge.histograms import histograms
from kedge.model_config import ModelConfig
from kedge.profile import Baseline, Profile
from kedge.quality import QualityCheck, judge_column_quality
from kedge.severity import Severity, worst
from kedge.statistics.holm import holm_adjusted

__all__ = ["ColumnReport", "DriftReport", "judge_drift"]


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
    performance: Mapping[str, Any] | None = None
    histograms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    minimum_rows: int = 1

    @property
    def severity(self) -> Severity:
        """The worst of the tests that ran; a quality check that found nothing does not make a blind window OK."""
        return worst(column.severity for column in self.columns)

    @property
    def drifted(self) -> tuple[ColumnReport, ...]:
        """Columns whose distribution moved, the worst and then the largest effect first."""
        found = [c for c in self.columns if c.drift >= Severity.WARNING]
        return tuple(sorted(found, key=lambda c: (-c.drift.rank, -(c.effect or 0.0))))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, worst first; where nothing moved, that."""
        told = [(q.severity, q.reason) for q in self.quality if q.severity >= Severity.WARNING]
        told += [(c.drift, c.reason) for c in self.drifted]
        if told:
            return tuple(reason for _, reason in sorted(told, key=lambda reason: -reason[0].rank))
        blind = [c for c in self.columns if c.drift is Severity.INSUFFICIENT_DATA]
        if len(blind) < len(self.columns):
            return (
                f"no column of {len(self.columns) - len(blind)} moved beyond its limits",
                *(c.reason for c in blind),
            )
        if self.rows < self.minimum_rows:
            return (f"the window has {self.rows} rows, {self.minimum_rows} are needed to judge drift",)
        return tuple(c.reason for c in blind)

    def to_json(self) -> dict[str, Any]:
        """DESIGN.md's report."""
        report: dict[str, Any] = {
            "model": self.model,
            "baseline": self.baseline,
            "window": {"start": _iso(self.start), "end": _iso(self.end), "rows": self.rows},
            "revision": self.revision,
            "manifests_digest": self.manifests_digest,
            "severity": self.severity.value,
            "reasons": list(self.reasons),
            "columns": [column.to_json() for column in self.columns],
            "quality": [check.to_json() for check in self.quality],
        }
        return report | ({"performance": dict(self.performance)} if self.performance is not None else {})

    def to_page(self) -> dict[str, Any]:
        """The report with the histograms that its page shows."""
        return self.to_json() | {"histograms": {name: dict(bars) for name, bars in self.histograms.items()}}


def judge_drift(
    baseline: Baseline,
    window: Profile,
    config: ModelConfig,
    *,
    start: datetime,
    end: datetime,
    revision: int = 1,
    manifests_digest: str = "",
    performance: Mapping[str, Any] | None = None,
) -> DriftReport:
    """Judge a window: data drift on the features, prediction drift on the answers, and data quality.

    A column has moved when its p-value, Holm-corrected over all columns, is below the limit *and* its effect is beyond what
    these sizes show without drift by a floor, or its PSI is by the field's 0.1 or 0.25. The p-value alone would call every
    large window drifted, the effect alone every small one.

    Parameters
    ----------
    baseline : Baseline
    window : Profile
        The sum of the window's hours, cut with the same baseline.
    performance : mapping, optional
        What the labels say of the same window, to travel with the report.
    """
    policy = config.drift
    evidence = [
        ColumnEvidence(
            column, baseline.bins[column.name], *(baseline.column(p, column.name) for p in (baseline.profile, window))
        )
        for column in baseline.columns
    ]
    limits = {feature.name: feature.psi_max for feature in config.features}
    level = policy.p_value_min / max(len(evidence), 1)
    measured = [one.measure(minimum_rows=policy.minimum_rows, p_value_min=level) for one in evidence]
    adjusted = iter(holm_adjusted(np.array([found.p_value for found in measured if found is not None])).tolist())
    reports = [
        judge_column(one, found, policy, p_value_adjusted=next(adjusted), psi_max=limits.get(one.column.name))
        if found is not None
        else judge_column(one, None, policy)
        for one, found in zip(evidence, measured, strict=True)
    ]
    quality = [judge_column_quality(one.column, one.before, one.now, policy) for one in evidence]
    columns = [
        replace(report, severity=worst([report.drift, *(c.severity for c in checks if c.severity >= Severity.WARNING)]))
        for report, checks in zip(reports, quality, strict=True)
    ]
    return DriftReport(
        config.model, baseline.baseline, start, end, window.rows, revision, manifests_digest,
        tuple(columns), tuple(check for checks in quality for check in checks), performance, histograms(baseline, window), policy.minimum_rows,
    )  # fmt: skip


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
