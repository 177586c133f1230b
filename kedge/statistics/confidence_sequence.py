"""An interval that stays right however often, and whenever, one looks at it while rows come in."""

from __future__ import annotations

import math


def always_valid_z(rows: int, *, confidence: float, planned_rows: int) -> float:
    """By how many standard errors an estimate may be off at any number of rows: the half width of an asymptotic confidence sequence.

    sqrt(2 (n r^2 + 1) / (n r^2) log(sqrt(n r^2 + 1) / a)), with a one minus the confidence: Waudby-Smith, Arbour, Sinha,
    Kennedy and Ramdas (2024), Annals of Statistics 52, 2613, theorem 2.2. The chance that the truth lies outside at *any* look is
    at most a, where an ordinary interval at each of many looks is wrong far more often. It is wider than one, and narrowest
    about `planned_rows`, for which r^2 = (-2 log a + log(-2 log a) + 1) / planned_rows, as they propose; that number must not
    depend on the rows. Like every interval with an estimated error it needs some hundred rows.

    Of two samples between which chance divides the rows, `rows` are those of both, and the error that of the difference: it is a
    mean over all rows too (section 3 there). Each sample then needs some hundred rows.

    >>> round(always_valid_z(1_000, confidence=0.95, planned_rows=1_000), 2), round(always_valid_z(100, confidence=0.95, planned_rows=1_000), 2)
    (3.04, 3.76)
    """
    alpha = 1 - confidence
    spread = rows * (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / planned_rows
    return math.sqrt(2 * (spread + 1) / spread * math.log(math.sqrt(spread + 1) / alpha))
