"""Data quality of one column from its counts, judged at any window size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from scipy.special import bdtrc

from kedge.columns import Column
from kedge.model_config import DriftPolicy
from kedge.profile import ColumnCounts
from kedge.severity import Severity

WARNING_P_VALUE = 0.05
_WORDS = {
    "missing": "have no value",
    "type": "are not finite numbers",
    "out_of_range": "lie outside the baseline's range",
    "unseen": "have a level never seen before",
}


@dataclass(frozen=True)
class QualityCheck:
    """One check with its limit and the reason in words."""

    check: str
    column: str
    severity: Severity
    value: float
    limit: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As DESIGN.md's report holds it under "quality"."""
        return asdict(self) | {"severity": self.severity.value}


def judge_column_quality(
    column: Column, baseline: ColumnCounts, window: ColumnCounts, policy: DriftPolicy
) -> list[QualityCheck]:
    """Check missing values, type errors, ranges and unseen levels; one check each, OK ones included.

    Each limit is what the baseline itself has plus the policy's allowance. A rate above it is a WARNING where the binomial
    tail of that many rows at the limit is below 0.05, and CRITICAL where it is below the policy's p-value and more than one
    row is meant: one strange row in a window of three is a WARNING at most. Values outside the baseline's range are a WARNING at most:
    how far they moved is for the drift statistics to say.

    Parameters
    ----------
    baseline, window : ColumnCounts
        The same column on both sides.
    """
    if window.rows == 0:
        return []
    checks = [("missing", baseline.missing, window.missing, policy.missing_fraction_increase_max)]
    if column.kind == "categorical":
        checks.append(("unseen", baseline.unseen, window.unseen, policy.unseen_fraction_max))
    else:
        bad = [counts.unparsable + counts.infinite for counts in (baseline, window)]
        checks.append(("type", bad[0], bad[1], policy.unparsable_fraction_max))
        checks.append(("out_of_range", baseline.out_of_range, window.out_of_range, policy.out_of_range_fraction_max))
    found = []
    for check, before, now, allowance in checks:
        usual = before / max(baseline.rows, 1)
        found.append(_rate(check, column.name, now, window.rows, usual, min(usual + allowance, 1.0), policy))
    return found


def _rate(
    check: str, column: str, found: int, rows: int, usual: float, limit: float, policy: DriftPolicy
) -> QualityCheck:
    value = found / rows
    severity = Severity.OK
    by_chance = float(bdtrc(found - 1, rows, limit)) if limit and found else 0.0
    if value > limit and by_chance < WARNING_P_VALUE:
        certain = by_chance < policy.p_value_min and found > 1 and check != "out_of_range"
        severity = Severity.CRITICAL if certain else Severity.WARNING
    reason = f"{column}: {found} of {rows} rows ({value:.1%}) {_WORDS[check]}; the baseline has {usual:.1%}, the limit is {limit:.1%}"
    return QualityCheck(check, column, severity, value, limit, reason)
