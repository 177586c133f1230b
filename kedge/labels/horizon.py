"""When labels are complete: the label horizon, learned from delays that are still being observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats


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


def delay_distribution(
    delays_days: Floats, ages_days: Floats, *, minimum_at_risk: int = 30
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
    if len(ages_days) < minimum_at_risk:
        return np.empty(0), np.empty(0), 0.0
    ages = np.sort(ages_days)
    longest = float(ages[-minimum_at_risk])
    delays, counts = np.unique(delays_days[delays_days <= longest], return_counts=True)
    at_risk = np.cumsum(counts) - np.searchsorted(ages, delays, side="left")
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
    horizon, slowest = 0.0, None
    for outcome in np.unique(classes):
        rows = classes == outcome
        called = names[outcome] if outcome < len(names) else str(outcome)
        delays, cumulative, longest = delay_distribution(delays_days[rows], ages_days[rows])
        if len(delays) == 0:
            return LabelHorizon(None, f"class {called} has only {int(rows.sum())} labelled rows; 30 are needed")
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
