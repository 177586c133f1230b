"""One column's drift: its statistics, whether they are beyond chance and beyond the limits, and the reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.binning import Bins
from kedge.cells import cell_values, coarse_starts, coarsen, median
from kedge.columns import Column
from kedge.model_config import DriftPolicy
from kedge.profile import ColumnCounts
from kedge.severity import Severity
from kedge.statistics import DISTANCES
from kedge.statistics.chi_square import chi_square, total_variation_certain
from kedge.statistics.kolmogorov_smirnov import ks_critical, ks_p_value, ks_statistic, ks_without_drift
from kedge.statistics.psi import psi_without_drift
from kedge.statistics.total_variation import total_variation_without_drift
from kedge.statistics.wasserstein import wasserstein_distance

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ColumnEvidence:
    """One column on both sides, as it is measured and told."""

    column: Column
    bins: Bins
    before: ColumnCounts
    now: ColumnCounts


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
    psi_excess : float
        PSI less what these sizes show without drift.
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
    psi_excess: float | None = None
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


def measure_column(evidence: ColumnEvidence, policy: DriftPolicy, *, tests: int) -> ColumnReport:
    """Compute one column's statistics; its p-value is not yet corrected and nothing is judged.

    Parameters
    ----------
    tests : int
        Tests of the run, which the smallest detectable effect allows for.
    """
    column, before, now = evidence.column, evidence.before, evidence.now
    report = ColumnReport(
        column, Severity.INSUFFICIENT_DATA, Severity.INSUFFICIENT_DATA, now.rows, "", {}, **_fractions(column, now)
    )
    for side, counts in (("window", now), ("baseline", before)):
        valued = int(counts.with_unseen.sum())
        if valued < (policy.minimum_rows if side == "window" else 1):
            reason = f"{column.name}: {valued} rows of the {side} have a value, {policy.minimum_rows} are needed to judge drift"
            return replace(report, reason=reason)
    if column.kind == "numeric":
        return _measure_numeric(report, evidence.bins, before.cells, now.cells, policy, tests)
    return _measure_categorical(report, before.with_unseen, now.with_unseen, policy, tests)


def judge_column(
    report: ColumnReport, evidence: ColumnEvidence, policy: DriftPolicy, *, p_value_adjusted: float, psi_max: float
) -> ColumnReport:
    """Judge a measured column: drift is what is beyond chance *and* beyond a limit.

    Parameters
    ----------
    p_value_adjusted : float
        Corrected over every test of the run.
    psi_max : float
        The column's own limit, or the policy's.
    """
    assert report.effect is not None and report.effect_without_drift is not None and report.psi_excess is not None
    beyond, distance = report.effect - report.effect_without_drift, report.statistics["jensen_shannon_distance"]
    severity = Severity.OK
    if p_value_adjusted < policy.p_value_min:
        if beyond >= policy.effect_max or report.psi_excess > psi_max or distance > policy.jensen_shannon_distance_max:
            severity = Severity.CRITICAL
        elif beyond >= policy.effect_warning or report.psi_excess > min(policy.psi_warning, psi_max):
            severity = Severity.WARNING
    judged = replace(report, severity=severity, drift=severity, p_value_adjusted=p_value_adjusted)
    return replace(judged, reason=_words(judged, evidence, policy, psi_max))


def _measure_numeric(
    report: ColumnReport, bins: Bins, before: Ints, now: Ints, policy: DriftPolicy, tests: int
) -> ColumnReport:
    starts = coarse_starts(before)
    b, w = coarsen(before, starts), coarsen(now, starts)
    rows = int(before.sum()), int(now.sum())
    statistic = ks_statistic(before, now)
    p_value = ks_p_value(statistic, *rows)
    statistics = {name: function(b, w) for name, function in DISTANCES.items()}
    statistics |= {
        "ks_statistic": statistic,
        "ks_p_value": p_value,
        "wasserstein_distance": wasserstein_distance(before, now, cell_values(bins)),
    }
    # Values near the largest float are too far apart for a distance.
    statistics = {name: value for name, value in statistics.items() if np.isfinite(value)}
    # A KS statistic is at most the total variation, and so is its mean: for few values that is the tighter bound.
    expected = min(ks_without_drift(*rows), total_variation_without_drift(before, now))
    return replace(
        report,
        statistics=statistics,
        p_value_adjusted=p_value,
        effect=statistic,
        effect_without_drift=expected,
        smallest_detectable_effect=_detectable(ks_critical(policy.p_value_min / tests, *rows), expected, policy),
        psi_excess=statistics["psi"] - psi_without_drift(b, w),
    )


def _measure_categorical(
    report: ColumnReport, before: Ints, now: Ints, policy: DriftPolicy, tests: int
) -> ColumnReport:
    statistics = {name: function(before, now) for name, function in DISTANCES.items()}
    statistic, p_value = chi_square(before, now)
    expected = total_variation_without_drift(before, now)
    cells = int(np.count_nonzero(before + now))
    certain = total_variation_certain(cells, policy.p_value_min / tests, float(before.sum()), float(now.sum()))
    return replace(
        report,
        statistics=statistics | {"chi_square_statistic": statistic, "chi_square_p_value": p_value},
        p_value_adjusted=p_value,
        effect=statistics["total_variation_distance"],
        effect_without_drift=expected,
        smallest_detectable_effect=_detectable(certain, expected, policy),
        psi_excess=statistics["psi"] - psi_without_drift(before, now),
    )


def _detectable(certain: float, expected: float, policy: DriftPolicy) -> float:
    return min(max(certain, expected + policy.effect_warning), 1.0)


def _words(report: ColumnReport, evidence: ColumnEvidence, policy: DriftPolicy, psi_max: float) -> str:
    measure = "KS" if report.column.kind == "numeric" else "total variation"
    told = psi_max if report.drift is not Severity.WARNING else min(policy.psi_warning, psi_max)
    floor = policy.effect_max if report.drift is not Severity.WARNING else policy.effect_warning
    limits = (
        f"PSI {report.statistics['psi']:.2f} against a limit of {told:g}, "
        f"{measure} {report.effect:.2f} against {floor:g} (without drift {report.effect_without_drift:.2f})"
    )
    moved = _moved_median(evidence) if report.column.kind == "numeric" else _moved_level(evidence)
    return f"{report.column.name}: {limits}; {moved}"


def _moved_median(evidence: ColumnEvidence) -> str:
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
