"""One column's drift: its statistics, whether they are beyond chance and beyond the limits, and the reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kedge.binning import Bins
from kedge.cells import median
from kedge.column_statistics import Measured, measure_categorical, measure_numeric
from kedge.columns import Column
from kedge.model_config import DriftPolicy
from kedge.profile import ColumnCounts
from kedge.severity import Severity


@dataclass(frozen=True)
class ColumnEvidence:
    """One column on both sides, as it is measured and told."""

    column: Column
    bins: Bins
    before: ColumnCounts
    now: ColumnCounts

    def measure(self, *, minimum_rows: int, p_value_min: float) -> Measured | None:
        """Its statistics; None where the window has fewer than `minimum_rows` values, or the baseline none."""
        if int(self.now.with_unseen.sum()) < minimum_rows or not self.before.with_unseen.sum():
            return None
        if self.column.kind == "numeric":
            return measure_numeric(self.bins, self.before.cells, self.now.cells, p_value_min=p_value_min)
        return measure_categorical(self.before.with_unseen, self.now.with_unseen, p_value_min=p_value_min)


@dataclass(frozen=True)
class ColumnReport:
    """One column's verdict.

    Attributes
    ----------
    severity : Severity
        The worst of the tests that ran, data quality among them.
    drift : Severity
        That of the drift test alone.
    statistics : mapping of str to float
        By DESIGN.md's names; what does not apply is absent.
    p_value_adjusted : float
        Of KS or chi-square, Holm-corrected over every test of the run.
    effect : float
        KS statistic of a numeric column, total variation of a categorical one, 0 to 1.
    effect_without_drift : float
        What these sizes show on average when nothing has moved.
    smallest_detectable_effect : float
        The smallest effect that this window could have called drift.
    """

    column: Column
    severity: Severity
    drift: Severity
    rows: int
    reason: str
    statistics: Mapping[str, float]
    p_value_adjusted: float | None = None
    effect: float | None = None
    effect_without_drift: float | None = None
    smallest_detectable_effect: float | None = None
    missing_fraction: float = 0.0
    unseen_fraction: float | None = None
    out_of_range_fraction: float | None = None
    unparsable_fraction: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As DESIGN.md's report holds it under "columns"; what does not apply is absent."""
        facts: dict[str, Any] = {
            "name": self.column.name,
            "role": self.column.role,
            "kind": self.column.kind,
            "severity": self.severity.value,
            "reason": self.reason,
            "statistics": dict(self.statistics),
            "rows": self.rows,
        }
        optional = (
            "p_value_adjusted", "effect", "effect_without_drift", "smallest_detectable_effect", "missing_fraction",
            "unseen_fraction", "out_of_range_fraction", "unparsable_fraction",
        )  # fmt: skip
        return facts | {name: getattr(self, name) for name in optional if getattr(self, name) is not None}


def judge_column(
    evidence: ColumnEvidence,
    measured: Measured | None,
    policy: DriftPolicy,
    *,
    p_value_adjusted: float = 1.0,
    psi_max: float | None = None,
) -> ColumnReport:
    """Judge a column: drift is what is beyond chance *and* beyond a limit.

    Parameters
    ----------
    measured : Measured, optional
        None where there were too few rows to measure anything.
    p_value_adjusted : float
        Corrected over every test of the run.
    psi_max : float, optional
        The column's own limit; else the policy's.
    """
    column, now = evidence.column, evidence.now
    if measured is None:
        found, nothing = int(now.with_unseen.sum()), Severity.INSUFFICIENT_DATA
        needed = f"{found} rows have a value, {policy.minimum_rows} are needed to judge drift"
        return ColumnReport(
            column, nothing, nothing, now.rows, f"{column.name}: {needed}", {}, **_fractions(column, now)
        )
    limits = _Limits.of(policy, psi_max)
    severity = limits.severity(measured, p_value_adjusted)
    return ColumnReport(
        column,
        severity,
        severity,
        now.rows,
        f"{column.name}: {limits.words(column, measured, severity)}; {_moved(evidence)}",
        measured.statistics,
        p_value_adjusted,
        measured.effect,
        measured.effect_without_drift,
        min(max(measured.certain_effect, measured.effect_without_drift + policy.effect_warning), 1.0),
        **_fractions(column, now),
    )


@dataclass(frozen=True)
class _Limits:
    policy: DriftPolicy
    psi_max: float
    psi_warning: float

    @classmethod
    def of(cls, policy: DriftPolicy, psi_max: float | None) -> _Limits:
        own = policy.psi_max if psi_max is None else psi_max
        return cls(policy, own, min(policy.psi_warning, own))

    def severity(self, measured: Measured, p_value_adjusted: float) -> Severity:
        policy = self.policy
        beyond = measured.effect - measured.effect_without_drift
        distance = measured.statistics["jensen_shannon_distance"]
        if p_value_adjusted >= policy.p_value_min:
            return Severity.OK
        if beyond >= policy.effect_max or measured.psi_excess > self.psi_max:
            return Severity.CRITICAL
        if distance > policy.jensen_shannon_distance_max:
            return Severity.CRITICAL
        moved = beyond >= policy.effect_warning or measured.psi_excess > self.psi_warning
        return Severity.WARNING if moved else Severity.OK

    def words(self, column: Column, measured: Measured, severity: Severity) -> str:
        warned = severity is Severity.WARNING
        psi_limit = self.psi_warning if warned else self.psi_max
        effect_limit = self.policy.effect_warning if warned else self.policy.effect_max
        effect = "KS" if column.kind == "numeric" else "total variation"
        return (
            f"PSI {measured.statistics['psi']:.2f} against a limit of {psi_limit:g}, "
            f"{effect} {measured.effect:.2f} against {effect_limit:g} (without drift {measured.effect_without_drift:.2f})"
        )


def _moved(evidence: ColumnEvidence) -> str:
    if evidence.column.kind == "categorical":
        return _moved_level(evidence)
    before, now = (median(counts.cells, evidence.bins) for counts in (evidence.before, evidence.now))
    if before == now:
        return f"the median stayed at {before:.4g}"
    return f"the median moved from {before:.4g} to {now:.4g}"


def _moved_level(evidence: ColumnEvidence) -> str:
    b, w = (counts.with_unseen / counts.with_unseen.sum() for counts in (evidence.before, evidence.now))
    most = int(np.argmax(np.abs(w - b)))
    levels = evidence.bins.levels
    level = repr(levels[most]) if most < len(levels) else "levels unknown to the baseline"
    return f"the share of {level} moved from {b[most]:.1%} to {w[most]:.1%}"


def _fractions(column: Column, counts: ColumnCounts) -> dict[str, Any]:
    rows = max(counts.rows, 1)
    fractions = {"missing_fraction": counts.missing / rows}
    if column.kind == "categorical":
        return fractions | {"unseen_fraction": counts.unseen / rows}
    return fractions | {
        "out_of_range_fraction": counts.out_of_range / rows,
        "unparsable_fraction": (counts.unparsable + counts.infinite) / rows,
    }
