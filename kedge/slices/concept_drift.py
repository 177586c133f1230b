"""Whether P(y given x) moved, and where: outcomes against those that the reference predicts, by segment and score band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, xlogy

from kedge.arrays import Floats
from kedge.comparisons import counted, figures
from kedge.config.policies import SegmentPolicy
from kedge.instants import to_text
from kedge.severity import Severity, worst
from kedge.slices.counts import SliceCounts
from kedge.slices.expected_outcomes import GroupOutcomes, group_outcomes
from kedge.statistics.holm import holm_adjusted
from kedge.stored import build

_Z = 1.959963984540054
# Smallest shift that is reported: of a rate, and of a mean error as a fraction of the reference's root mean squared error.
GAP_MIN, ERROR_GAP_MIN = 0.05, 0.2
# Expected outcomes of the rarer kind that a group needs before its rate is compared.
EXPECTED_MIN = 5.0
ALL_ROWS = "all rows"
WITHOUT_PROBABILITIES = (
    "the answers are classes without probabilities: a moved P(y given x) looks the same as a shift of the inputs "
    "(of several classes, prediction.probabilities names the columns)"
)


@dataclass(frozen=True)
class ConceptShift:
    """One group of rows whose outcomes differ from those that the reference predicts.

    Attributes
    ----------
    where : str
        "all rows", "score band" (a class answered, for several classes) or "segment".
    group : str
        The group in words, as "market_segment=Groups".
    observed, expected : float
        Binary: the rate of the positive class. Multiclass: the rate of right answers. Regression: the mean of truth minus
        answer.
    shift, low, high : float
        Observed minus expected, with its 95 % interval.
    since : str or None
        Start of the first of the consecutive windows that report this group; None if windows have no times.
    """

    where: Literal["all rows", "score band", "segment"]
    column: str
    group: str
    rows: int
    rows_fraction: float
    observed: float
    expected: float
    shift: float
    low: float
    high: float
    p_value_adjusted: float
    severity: Severity
    since: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As one of the report's "shifts"; fields that do not apply are absent."""
        found = {**vars(self), "severity": self.severity.value}
        if self.where == ALL_ROWS:
            del found["column"]
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConceptShift:
        """The shift that `to_json` wrote."""
        return build(cls, {"column": "", **data, "severity": Severity(data["severity"])})


@dataclass(frozen=True)
class ConceptDrift:
    """The verdict on all groups, and those that moved, the widest first."""

    severity: Severity
    reason: str
    shifts: tuple[ConceptShift, ...]

    def to_json(self) -> dict[str, Any]:
        """As the report's "performance" holds it under "concept_drift"."""
        told = {"severity": self.severity.value, "reason": self.reason}
        return told | {"shifts": [shift.to_json() for shift in self.shifts]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConceptDrift:
        """The verdict that `to_json` wrote.

        >>> ConceptDrift.from_json(ConceptDrift(Severity.OK, "as expected", ()).to_json())
        ConceptDrift(severity=<Severity.OK: 'OK'>, reason='as expected', shifts=())
        """
        return cls(Severity(data["severity"]), data["reason"], tuple(map(ConceptShift.from_json, data["shifts"])))


def clearly_moved(found: ConceptDrift | None) -> Severity | None:
    """CRITICAL if P(y given x) has moved beyond doubt; None for less: that is told, and is no alarm.

    >>> clearly_moved(ConceptDrift(Severity.WARNING, "perhaps", ())), clearly_moved(None)
    (None, None)
    """
    return Severity.CRITICAL if found is not None and found.severity is Severity.CRITICAL else None


@np.errstate(over="ignore", invalid="ignore")  # errors near the largest float give no result
def judge_concept(window: SliceCounts, reference: SliceCounts, policy: SegmentPolicy) -> ConceptDrift:
    """Compare what came true with what the reference's own calibration predicts for these answers.

    A group's expectation starts from the window's own answers, corrected by the reference's error in each score band and in this
    group (`group_outcomes`). So neither a harmless shift of the inputs nor a model that was never calibrated looks like a moved concept.
    A change that the answers do not see may still look like one, hence the floor. Rates: the signed root of the likelihood
    ratio (Wilks 1938, Ann. Math. Stat. 9, 60), whose tails hold where events are few; mean errors: Welch's. Two-sided,
    Holm over all groups with enough rows. A shift of at least `gap_min` beyond chance is a WARNING. It is CRITICAL if all of
    its 95 % interval is beyond `gap_min`.

    Classes without a probability are not judged: how often they come true follows every shift of the inputs, so it does not show
    whether P(y given x) moved.

    Parameters
    ----------
    window, reference : SliceCounts
        Cut with the same ruler.
    """
    regression = window.ruler.problem == "regression"
    if not (regression or all(map(_has_probabilities, (window, reference)))):
        return ConceptDrift(Severity.INSUFFICIENT_DATA, WITHOUT_PROBABILITIES, ())
    found = group_outcomes(window, reference)
    judged = _is_large(found, policy, regression)
    if not judged.any():
        reason = (
            f"no group has the {policy.minimum_rows} labelled rows{' with probabilities' if window.ruler.classes else ''} that "
            "are needed, in the window and in the reference"
        )
        return ConceptDrift(Severity.INSUFFICIENT_DATA, reason, ())
    z = _mean_z(found) if regression else _rate_z(found)
    adjusted = np.ones(len(z))
    adjusted[judged] = holm_adjusted(2 * ndtr(-np.abs(z[judged])))
    gap = policy.gap_min if policy.gap_min is not None else ERROR_GAP_MIN if regression else GAP_MIN
    floor = gap * found.unit
    moved = judged & (adjusted < policy.p_value_min) & (np.abs(found.shift) >= floor)
    shifts = [_shift(found, int(i), float(adjusted[i]), floor) for i in np.flatnonzero(moved)]
    shifts.sort(key=lambda s: (s.where != ALL_ROWS, -abs(s.shift) * s.rows_fraction))
    kept = tuple(shifts[: policy.shown])
    reason = (
        _sentence(kept[0])
        if kept
        else f"{counted(int(judged.sum()), 'group')} of rows came true as the reference predicts"
    )
    return ConceptDrift(worst([Severity.OK, *(shift.severity for shift in kept)]), reason, kept)


def with_since(found: ConceptDrift, previous: ConceptDrift | None, *, start: datetime) -> ConceptDrift:
    """Date each shift: since the window before, if that reported the same group in the same direction, else since this one.

    Parameters
    ----------
    previous : ConceptDrift or None
        Of the window before.
    start : datetime
        Start of this window.
    """
    told = {(s.where, s.group, s.shift > 0): s.since for s in (previous.shifts if previous else ())}
    now = to_text(start)
    dated = (replace(s, since=told.get((s.where, s.group, s.shift > 0)) or now) for s in found.shifts)
    return replace(found, shifts=tuple(dated))


def _has_probabilities(counts: SliceCounts) -> bool:
    """Whether any answer has a probability; also true if there are no rows."""
    if not counts.ruler.classes:
        return True
    by_cell = counts.total.counts[0].sum(axis=1)
    return counts.ruler.is_scored and bool(by_cell[:-1].any() or not by_cell.any())


def _is_large(found: GroupOutcomes, policy: SegmentPolicy, regression: bool) -> NDArray[np.bool_]:
    large = (found.rows >= policy.minimum_rows) & (found.reference_rows >= policy.minimum_rows)
    if regression:
        return large
    rarer = np.minimum(found.expected, 1 - found.expected)
    return large & (rarer * np.minimum(found.rows, found.reference_rows) >= EXPECTED_MIN)


def _mean_z(found: GroupOutcomes) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nan_to_num(found.shift / found.error))


def _rate_z(found: GroupOutcomes) -> Floats:
    """Signed root of the likelihood ratio of two rates, their rows scaled to the variance that the scores leave."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = found.expected * (1 - found.expected)
        here, before = spread / found.variance, spread / found.reference_variance
        pooled = (here * found.observed + before * found.expected) / (here + before)
        ratio = here * _divergence(found.observed, pooled) + before * _divergence(found.expected, pooled)
        return np.asarray(np.nan_to_num(np.sign(found.shift) * np.sqrt(np.maximum(2 * ratio, 0.0))))


def _divergence(rate: Floats, other: Floats) -> Floats:
    return np.asarray(xlogy(rate, rate / other) + xlogy(1 - rate, (1 - rate) / (1 - other)))


def _shift(found: GroupOutcomes, place: int, p_value: float, floor: float) -> ConceptShift:
    shift, error = float(found.shift[place]), float(found.error[place])
    certain = abs(shift) - _Z * error
    where, column, group = found.names[place]
    return ConceptShift(
        where=where,
        column="" if where == ALL_ROWS else column,
        group=group if where == ALL_ROWS else f"{column}={group}",
        rows=int(found.rows[place]),
        rows_fraction=float(found.rows[place] / found.rows[0]),
        observed=float(found.observed[place]),
        expected=float(found.expected[place]),
        shift=shift,
        low=shift - _Z * error,
        high=shift + _Z * error,
        p_value_adjusted=p_value,
        severity=Severity.CRITICAL if certain > floor else Severity.WARNING,
    )


def _sentence(shift: ConceptShift) -> str:
    observed, expected = figures(shift.observed, shift.expected)
    return (
        f"P(y given x) moved on {shift.group} ({counted(shift.rows, 'row')}): {observed} came true; "
        f"{expected} was expected"
    )
