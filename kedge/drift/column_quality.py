"""Data quality of one column from its counts, tested at any window size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betainc, betaincinv

from kedge.columns.casting import Column
from kedge.comparisons import percent
from kedge.config.policies import DriftPolicy
from kedge.profile.baseline import ColumnCounts
from kedge.severity import Severity

# This much of each p-value covers that the baseline's true rate is unknown: far below any level in use.
BASELINE_DOUBT = 1e-6
_WORDS = {
    "missing": "have no value",
    "type": "are not of the column's type (a finite number, a time, true or false)",
    "out_of_range": "lie outside the baseline's range",
    "unseen": "have a level never seen before",
}
# A column with this fraction of one value before may show nothing else for a season.
NEARLY_CONSTANT = 0.95
# The drift statistics say how far values moved. A stuck column that hardly varied before does no harm.
_WARNING_AT_MOST = ("out_of_range", "constant")


@dataclass(frozen=True)
class QualityCheck:
    """One check with its limit and the reason in words; `column` is empty for the window as a whole."""

    check: str
    column: str
    severity: Severity
    value: float
    limit: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As the report's JSON has it under "quality"."""
        told: dict[str, Any] = {"check": self.check} | ({"column": self.column} if self.column else {})
        return told | {"severity": self.severity.value, "value": self.value, "limit": self.limit, "reason": self.reason}


@dataclass(frozen=True)
class QualityTest:
    """One check as it was measured, not judged yet.

    Attributes
    ----------
    value : float
        Fraction of the window's rows.
    limit, critical : float
        Fractions beyond which a certain value is a WARNING, and CRITICAL.
    p_value : float
        Probability that the window shows this much although the true rate is at its limit, not corrected for other tests.
    """

    check: str
    column: str
    found: int
    value: float
    limit: float
    critical: float
    p_value: float
    reason: str

    def judged(self, p_value_adjusted: float, *, level: float) -> QualityCheck:
        """Judge it: is it beyond its limit, and certainly so?

        One strange row is at most a WARNING, and so are ranges and columns that stand still.

        Parameters
        ----------
        p_value_adjusted : float
            Corrected over every test of the run.
        level : float
            Below it the finding is certain.
        """
        severity = Severity.OK
        if self.value > self.limit and p_value_adjusted < level:
            harmful = self.value > self.critical and self.found > 1 and self.check not in _WARNING_AT_MOST
            severity = Severity.CRITICAL if harmful else Severity.WARNING
        return QualityCheck(self.check, self.column, severity, self.value, self.limit, self.reason)


def measure_quality(
    column: Column,
    baseline: ColumnCounts,
    window: ColumnCounts,
    policy: DriftPolicy,
    *,
    design_effect: float = 1.0,
    rare_levels: int = 0,
) -> list[QualityTest]:
    """Measure missing values, type errors, ranges, unseen levels, and whether the column stands still.

    Each limit is what the baseline itself has plus the policy's allowance (twice the allowance for CRITICAL). A baseline
    has no unseen levels by construction. So its own rate of them is the one that Good (1953), Biometrika 40, 237, expects in
    more rows like its own: the fraction of rows whose level occurs once.

    Parameters
    ----------
    baseline, window : ColumnCounts
        The same column on both sides.
    design_effect : float
        How many rows count as one independent row, at least 1.
    rare_levels : int
        How many levels share the baseline's last cell.
    """
    if window.rows == 0:
        return []
    counted = [("missing", baseline.missing, window.missing, policy.missing_fraction_increase_max)]
    if column.kind == "categorical":
        counted.append(("unseen", _expected_unseen(baseline, rare_levels), window.unseen, policy.unseen_fraction_max))
    else:
        bad = [counts.unparsable + counts.infinite for counts in (baseline, window)]
        counted.append(("type", bad[0], bad[1], policy.unparsable_fraction_max))
    if column.is_number:
        counted.append(("out_of_range", baseline.out_of_range, window.out_of_range, policy.out_of_range_fraction_max))
    sizes = baseline.rows, window.rows
    tests = [
        _rate_test(check, column.name, (before, now), sizes, allowance, design_effect)
        for check, before, now, allowance in counted
    ]
    alike = f"{column.name}: all {int(window.with_unseen.sum()):,} rows {_in_common(column, window, rare_levels)}"
    return tests + _constant_test(column.name, baseline.with_unseen, window.with_unseen, design_effect, alike)


def _expected_unseen(baseline: ColumnCounts, rare_levels: int) -> int:
    """Rows of the baseline whose level occurs once, or has no place in it at all."""
    shown = baseline.cells[:-1] if rare_levels else baseline.cells
    # Of L levels that share n rows about L (L/n) occur once, were their counts geometric.
    alone = rare_levels**2 / max(int(baseline.cells[-1]), rare_levels) if rare_levels else 0.0
    return baseline.unseen + int((shown == 1).sum()) + round(alone)


def rate_p_value(before: float, before_rows: float, now: float, now_rows: float, *, allowance: float = 0.0) -> float:
    """Probability of at least this many rows in the window if its true rate is the baseline's plus an allowance.

    The binomial tail at the largest rate that the baseline leaves possible, plus the doubt that is left: Berger and Boos
    (1994), J. Am. Stat. Assoc. 89, 1012. It is never too small, whatever the baseline's true rate and size.

    Parameters
    ----------
    before, now : float
        Rows found on either side, of `before_rows` and `now_rows`; fractions of rows stand for correlated ones.

    >>> rate_p_value(0, 10_000, 5, 1000)
    0.01...
    >>> rate_p_value(0, 10_000, 50, 1000) == BASELINE_DOUBT
    True
    """
    if now <= 0:
        return 1.0
    highest = betaincinv(before + 1, before_rows - before, 1 - BASELINE_DOUBT) if before < before_rows else 1.0
    rate = min(float(highest) + allowance, 1.0)
    return min(binomial_tail(now, now_rows, rate) + BASELINE_DOUBT, 1.0)


def binomial_tail(found: float, rows: float, rate: float) -> float:
    """Probability of at least this many of these rows at this rate; fractions of rows stand for correlated ones.

    >>> binomial_tail(2, 2, 0.5)
    0.25
    """
    if found <= 0 or rate >= 1:
        return 1.0
    return float(betainc(found, rows - found + 1, rate))


def _rate_test(
    check: str, column: str, found: tuple[int, int], rows: tuple[int, int], allowance: float, design_effect: float
) -> QualityTest:
    value, usual = found[1] / rows[1], found[0] / max(rows[0], 1)
    sides = (number / design_effect for number in (found[0], rows[0], found[1], rows[1]))
    limit = min(usual + allowance, 1.0)
    reason = (
        f"{column}: {found[1]:,} of {rows[1]:,} rows ({percent(value)}) {_WORDS[check]}; the baseline has "
        f"{percent(usual)}, the limit is {percent(limit)}"
    )
    p_value = rate_p_value(*sides, allowance=allowance)
    return QualityTest(check, column, found[1], value, limit, min(usual + 2 * allowance, 1.0), p_value, reason)


def _constant_test(
    column: str, before: np.ndarray[Any, Any], now: np.ndarray[Any, Any], design_effect: float, alike: str
) -> list[QualityTest]:
    """All rows in one cell, although the baseline uses several; absent if there is nothing to compare."""
    rows, most = int(now.sum()), int(now.max(initial=0))
    if not rows or np.count_nonzero(before) < 2:
        return []
    usual = float(before.max() / before.sum())
    reason = f"{alike}; in the baseline at most {percent(usual)} do"
    if most < rows or usual > NEARLY_CONSTANT:
        return [QualityTest("constant", column, most, most / rows, 1.0, 1.0, 1.0, reason)]
    size = float(before.sum()) / design_effect
    share = betaincinv(size * usual + 1, size * (1 - usual), 1 - BASELINE_DOUBT)
    p_value = min(float(share) ** max(rows / design_effect - 1, 0) + BASELINE_DOUBT, 1.0)
    return [QualityTest("constant", column, rows, 1.0, usual, 1.0, p_value, reason)]


def _in_common(column: Column, window: ColumnCounts, rare_levels: int) -> str:
    """What rows of one cell have in common: for a cell without an end that is not one value."""
    place, last = int(window.with_unseen.argmax()), len(window.cells) - 1
    if column.is_number and place in (0, last):
        side = "below" if place == 0 else "above"
        return f"lie {side} all values of the baseline, and so in one cell"
    if column.is_number or place < last or (place == last and not rare_levels):
        return "share one value"
    return "have levels that " + ("are rare in the baseline" if place == last else "the baseline does not know")
