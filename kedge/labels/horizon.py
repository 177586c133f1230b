"""When labels are complete: the label horizon, learned from delays that are still being observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints

MINUTES = 1440.0  # of a day
MINIMUM_AT_RISK = 30


@dataclass(frozen=True)
class LabelHorizon:
    """The age from which a prediction's label counts as in.

    Attributes
    ----------
    days : float or None
        None while it is not known: then no row is ripe.
    reason : str
        The source of the number, in words.
    """

    days: float | None
    reason: str


@dataclass(frozen=True, eq=False)
class TimeCounts:
    """Spans of time as counts.

    Attributes
    ----------
    days : ndarray of float, shape (n_distinct,)
        Ascending.
    rows : ndarray of int, shape (n_distinct,)
    """

    days: Floats
    rows: Ints

    @classmethod
    def of(cls, days: Floats) -> TimeCounts:
        """Count them.

        >>> TimeCounts.of(np.array([2.0, 1.0, 2.0])).rows.tolist()
        [1, 2]
        """
        found, rows = np.unique(days, return_counts=True)
        return cls(found, rows.astype(np.int64))

    @property
    def total(self) -> int:
        """Rows."""
        return int(self.rows.sum())

    @property
    def median(self) -> float:
        """Of two middle rows the mean.

        >>> TimeCounts.of(np.array([1.0, 2.0, 4.0, 8.0])).median
        3.0
        """
        ends = np.cumsum(self.rows)
        low, high = np.searchsorted(ends, [(self.total - 1) // 2, self.total // 2], side="right")
        return float((self.days[low] + self.days[high]) / 2)


def whole_minutes(days: Floats) -> Floats:
    """Spans cut to whole minutes, in days: what any engine counts alike.

    >>> (whole_minutes(np.array([90.0, 180.0]) / 86_400) * 1440).tolist()
    [1.0, 3.0]
    """
    # A millionth of a minute is what a division may have lost.
    return np.asarray(np.floor(days * MINUTES + 1e-6) / MINUTES)


def delay_distribution(
    delays_days: Floats, ages_days: Floats, *, minimum_at_risk: int = MINIMUM_AT_RISK
) -> tuple[Floats, Floats, float]:
    """Distribution of label delays, corrected for labels that are still to come.

    A delay is seen only if it is shorter than its prediction's age: right truncation, which makes
    young windows look fast. The product-limit estimator in reversed time, F(t) = prod over d > t of
    (1 - n_d / R_d) with R_d the rows whose delay is at most d and whose age is at least d, removes it
    (Kalbfleisch and Lawless 1989, JASA 84, 360; Lynden-Bell 1971). It is conditional on the delay being at most
    the longest age that `minimum_at_risk` rows have, which is returned with it.

    Parameters
    ----------
    delays_days, ages_days : ndarray of float, shape (n_rows,)
        Days from prediction to label, and from prediction to now; of labelled rows only.
    minimum_at_risk : int
        Rows that must be old enough for a delay before it enters the estimate.

    Returns
    -------
    delays : ndarray of float, shape (n_distinct,)
        Distinct delays, ascending.
    cumulative : ndarray of float, shape (n_distinct,)
        F at each delay.
    longest_days : float
        The longest delay that could have been seen; 0 with fewer rows than `minimum_at_risk`.

    >>> days = np.array([1.0] * 50 + [3.0] * 50)
    >>> delays, cumulative, longest = delay_distribution(days, np.full(100, 10.0))
    >>> delays.tolist(), cumulative.round(2).tolist(), longest
    ([1.0, 3.0], [0.5, 1.0], 10.0)
    """
    return _distribution(TimeCounts.of(delays_days), TimeCounts.of(ages_days), minimum_at_risk)


def _distribution(delayed: TimeCounts, aged: TimeCounts, minimum_at_risk: int) -> tuple[Floats, Floats, float]:
    if aged.total < minimum_at_risk:
        return np.empty(0), np.empty(0), 0.0
    longest = float(aged.days[::-1][np.searchsorted(np.cumsum(aged.rows[::-1]), minimum_at_risk)])
    seen = delayed.days <= longest
    delays, counts = delayed.days[seen], delayed.rows[seen]
    younger = np.append(0, np.cumsum(aged.rows))[np.searchsorted(aged.days, delays, side="left")]
    at_risk = np.cumsum(counts) - younger
    # Rows younger than d have delays below d, so both counts are of the same rows.
    survival = 1.0 - counts / np.maximum(at_risk, counts)
    cumulative = np.append(np.cumprod(survival[::-1])[::-1][1:], 1.0)
    return delays, cumulative, longest


def label_horizon(
    delays_days: Floats,
    ages_days: Floats,
    classes: NDArray[np.int64],
    *,
    quantile: float = 0.95,
    names: Sequence[str] = (),
) -> LabelHorizon:
    """Age in days at which `quantile` of every outcome's labels are in.

    Outcomes ripen at different speeds (a cancellation at once, a stay after the last night), so the
    slowest class decides: a horizon over all classes together would count the fast outcome first and
    shift the base rate. Unknown (None) until the history is twice as long as the horizon it suggests,
    because a delay longer than the history cannot have been seen.

    Parameters
    ----------
    delays_days, ages_days : ndarray of float, shape (n_rows,)
        See `delay_distribution`.
    classes : ndarray of int, shape (n_rows,)
        The outcome of each row; all equal for a regression.
    quantile : float
        Share of each class's labels that must be in, 0 to 1.
    names : sequence of str
        The classes' names; by default their codes.

    >>> fast, slow = np.full(60, 1.0), np.full(60, 4.0)
    >>> label_horizon(np.concatenate([fast, slow]), np.full(120, 20.0), np.repeat([1, 0], 60)).days
    4.0
    """
    sides = ((delays_days[classes == outcome], ages_days[classes == outcome]) for outcome in np.unique(classes))
    counted = {
        int(o): (TimeCounts.of(d), TimeCounts.of(a)) for o, (d, a) in zip(np.unique(classes), sides, strict=True)
    }
    return horizon_of_counts(counted, quantile=quantile, names=names)


def horizon_of_counts(
    counted: Mapping[int, tuple[TimeCounts, TimeCounts]], *, quantile: float = 0.95, names: Sequence[str] = ()
) -> LabelHorizon:
    """The same from counts.

    Parameters
    ----------
    counted : mapping of int to (TimeCounts, TimeCounts)
        Delays and ages by outcome, in the outcomes' order.

    >>> counts = TimeCounts(np.array([1.0]), np.array([60])), TimeCounts(np.array([20.0]), np.array([60]))
    >>> horizon_of_counts({0: counts}).days
    1.0
    """
    horizon, slowest = 0.0, None
    for outcome, (delayed, aged) in counted.items():
        called = names[outcome] if outcome < len(names) else str(outcome)
        delays, cumulative, longest = _distribution(delayed, aged, MINIMUM_AT_RISK)
        if len(delays) == 0:
            return LabelHorizon(None, f"class {called} has only {aged.total} labelled rows; 30 are needed")
        days = float(delays[np.searchsorted(cumulative, quantile)])
        if days > longest / 2:
            return LabelHorizon(
                None, f"labels of class {called} still arrive after {days:.0f} of {longest:.0f} observed days"
            )
        if days >= horizon:
            horizon, slowest = days, called
    if slowest is None:
        return LabelHorizon(None, "no labels yet")
    return LabelHorizon(
        horizon, f"{quantile:.0%} of the labels of the slowest class ({slowest}) are in after {horizon:.1f} days"
    )


def believed_horizon(learnt: LabelHorizon, *, configured: float | None, remembered: float | None) -> LabelHorizon:
    """The horizon that counts: the YAML's, else the one learnt now, else the one learnt earlier.

    >>> believed_horizon(LabelHorizon(None, "no labels yet"), configured=None, remembered=3.0).reason
    '3.0 days were learnt earlier; now no labels yet'
    """
    if configured is not None:
        return LabelHorizon(configured, "the label horizon is set in the YAML")
    if learnt.days is None and remembered is not None:
        return LabelHorizon(remembered, f"{remembered:.1f} days were learnt earlier; now {learnt.reason}")
    return learnt


def performance_start(start: datetime, end: datetime, horizon_days: float) -> datetime:
    """First instant of the rows whose quality is measured for a window.

    A window's own ripe rows, beginning earlier if the horizon leaves less than half of a window
    ripe.

    >>> from datetime import UTC
    >>> end = datetime(2016, 1, 29, tzinfo=UTC)
    >>> performance_start(end - timedelta(days=28), end, 9.0) == end - timedelta(days=28)
    True
    >>> (end - performance_start(end - timedelta(days=28), end, 60.0)).days
    74
    """
    return min(start, end - timedelta(days=horizon_days) - (end - start) / 2)
