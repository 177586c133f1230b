"""When an alarm is in ALARM: CloudWatch's rule over the last datapoints, with its treatment of missing ones.

After "Configuring how CloudWatch alarms treat missing data" (CloudWatch user guide): the alarm reads a few datapoints
more than it evaluates, and judges the latest real ones; only where too few are real does the treatment count.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA_DATAPOINTS = 2  # the guide's example reads 5 to evaluate 3; AWS does not publish the number
TREATMENTS = ("missing", "notBreaching", "breaching", "ignore")
COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


def judged_state(
    points: Sequence[float | None],
    breaches: Callable[[float], bool],
    *,
    periods: int,
    needed: int,
    treatment: str,
    current: str,
) -> str:
    """Return the state that the points (oldest first, None where there is no data) put an alarm in."""
    real = [point for point in points if point is not None]
    if len(real) >= periods:
        return ALARM if sum(map(breaches, real[-periods:])) >= needed else OK
    breaching, missing = sum(map(breaches, real)), periods - len(real)
    if treatment == "breaching":
        return ALARM if breaching + missing >= needed else OK
    if breaching >= needed:
        return ALARM
    if treatment == "notBreaching":
        return OK
    if not real:
        return current if treatment == "ignore" else INSUFFICIENT_DATA
    if breaching < min(needed, len(real)):
        return OK
    if treatment == "ignore":
        return current
    return ALARM if _age_of_oldest_breach(points, breaches) >= needed else current


def _age_of_oldest_breach(points: Sequence[float | None], breaches: Callable[[float], bool]) -> int:
    """Return how many periods ago, the last being 1, the oldest breaching point is."""
    return max(len(points) - at for at, point in enumerate(points) if point is not None and breaches(point))


def quiet_test(statistic: str, comparison: str, threshold: float) -> Callable[[float], bool]:
    """Return a test of single values: one that passes cannot bring an alarm from OK to ALARM by itself."""
    compare = COMPARISONS[comparison][0]
    upwards = comparison.startswith("Greater")
    if statistic == "SampleCount":
        return lambda _value: False
    if statistic == "Sum":
        return lambda value: not compare(value, threshold) and (value <= 0 if upwards else value >= 0)
    # A mean, an extreme or a percentile of values that do not breach does not breach.
    return lambda value: not compare(value, threshold)
