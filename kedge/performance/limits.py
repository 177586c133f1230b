"""Each metric's limit, and whether a window's interval is within it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kedge.comparisons import change, figures, in_words
from kedge.config.metrics import direction, metrics_of
from kedge.config.policies import PerformanceLimit
from kedge.intervals import Estimate, z_of
from kedge.severity import Severity


@dataclass(frozen=True)
class Bounds:
    """The range of a metric: not clearly below `floor`, not clearly above `ceiling`; `words` say why."""

    floor: float = -math.inf
    ceiling: float = math.inf
    words: str = ""


@dataclass(frozen=True)
class LimitVerdict:
    """One metric judged; `limit` is the bound on the side that it is nearer to."""

    metric: str
    severity: Severity
    limit: float
    reason: str


def default_limits(problem: str, *, decisions_only: bool = False) -> tuple[PerformanceLimit, ...]:
    """What is judged where the YAML names no limits: the table's.

    Parameters
    ----------
    decisions_only : bool
        Whether the answers are classes without probabilities.

    >>> [limit.metric for limit in default_limits("binary_classification")]
    ['auc', 'calibration_in_the_large']
    """
    lines = ((one.name, one.decision_limit if decisions_only else one.limit) for one in metrics_of(problem))
    return tuple(PerformanceLimit(metric=name, **limit) for name, limit in lines if limit)


def bounds_of(limit: PerformanceLimit, expected: Estimate | None) -> Bounds:
    """The bounds that a limit sets, with the reference's value taken as a fixed number.

    A tolerance or a ratio lies on the worse side of the reference only. For a metric that is best at zero, or
    has no better side, it lies on both sides. `expected` may be missing if the limit is a fixed number.

    >>> bounds_of(PerformanceLimit(metric="mae", ratio=1.1), Estimate("mae", 2.0, 0.1, 1.8, 2.2)).ceiling
    2.2
    """
    if limit.at_least is not None:
        return Bounds(floor=limit.at_least, words=f"at least {in_words(limit.at_least)}")
    if limit.at_most is not None:
        return Bounds(ceiling=limit.at_most, words=f"at most {in_words(limit.at_most)}")
    if expected is None:
        raise KeyError(limit.metric)
    return _relative_bounds(limit, expected)


def _relative_bounds(limit: PerformanceLimit, expected: Estimate) -> Bounds:
    side, value = direction(limit.metric), expected.value
    if limit.tolerance is not None:
        room, why = limit.tolerance, f"within {limit.tolerance:g} of the reference's {in_words(value)}"
    else:
        ratio = limit.ratio or 1.0
        room, why = abs(value) * abs(ratio - 1.0), f"{ratio:g} times the reference's {in_words(value)}"
    if side == "higher":
        return Bounds(floor=value - room, words=f"at least {in_words(value - room)} ({why})")
    if side == "lower":
        return Bounds(ceiling=value + room, words=f"at most {in_words(value + room)} ({why})")
    # A value nearer to zero than the reference is fine.
    low, high = (min(value, 0.0), max(value, 0.0)) if side == "zero" else (value, value)
    between = f"between {in_words(low - room)} and {in_words(high + room)} ({why})"
    return Bounds(low - room, high + room, between)


def judge_limit(
    limit: PerformanceLimit, measured: Estimate, expected: Estimate | None, *, confidence: float
) -> LimitVerdict:
    """CRITICAL if even the favourable end of the window's interval is beyond the limit.

    WARNING if that is not clear, but the window is worse than the reference beyond chance, with the uncertainty of
    both. For a fixed limit, or a limit to both sides: if the value itself is beyond it.

    >>> recall = Estimate("recall", 0.70, 0.02, 0.66, 0.74)
    >>> judge_limit(PerformanceLimit(metric="recall", at_least=0.8), recall, None, confidence=0.95).severity.value
    'CRITICAL'
    """
    bounds = bounds_of(limit, expected)
    value, low, high = figures(measured.value, measured.low, measured.high)
    name, interval = measured.name, f"{low} to {high}"
    found = (
        f"{name} {value} ({interval})"
        if expected is None
        else f"{change(name, expected.value, measured.value, direction(name))}, interval {interval}"
    )
    said = f"{found}; limit: {bounds.words}"
    below = measured.value - bounds.floor < bounds.ceiling - measured.value
    nearer = bounds.floor if below else bounds.ceiling
    if measured.high < bounds.floor or measured.low > bounds.ceiling:
        return LimitVerdict(measured.name, Severity.CRITICAL, nearer, f"quality is lost: {said}")
    if _may_be_lost(limit, bounds, measured, expected, confidence):
        reason = f"quality is lower, but not clearly beyond the limit: {said}"
        return LimitVerdict(measured.name, Severity.WARNING, nearer, reason)
    return LimitVerdict(measured.name, Severity.OK, nearer, f"quality holds: {said}")


def _may_be_lost(
    limit: PerformanceLimit, bounds: Bounds, measured: Estimate, expected: Estimate | None, confidence: float
) -> bool:
    # A business figure is not a metric, and its bounds are fixed numbers.
    side = "same" if is_absolute(limit) else direction(limit.metric)
    if expected is None or side not in ("higher", "lower"):
        return not bounds.floor <= measured.value <= bounds.ceiling
    loss = (expected.value - measured.value) * (1 if side == "higher" else -1)
    return loss > z_of(confidence) * math.hypot(measured.standard_error, expected.standard_error)


def is_absolute(limit: PerformanceLimit) -> bool:
    """Whether a limit is a fixed number, not a distance from the reference.

    >>> is_absolute(PerformanceLimit(metric="recall", at_least=0.8))
    True
    """
    return limit.at_least is not None or limit.at_most is not None
