"""Measured numbers with their uncertainty: intervals from counts and sums, and for the ratio or difference of two rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

# How certain a loss is that people are told of, over all metrics, or all segments, of a window. Errors from few rows are too
# small, so that far more than this is told without a loss: at 0.005 about one window in fifty of some hundred rows, at this level
# about one in a thousand (the tests simulate it).
LOSS_LEVEL = 0.0001


@dataclass(frozen=True)
class Estimate:
    """A metric with its standard error and its confidence interval."""

    name: str
    value: float
    standard_error: float
    low: float
    high: float


def z_of(confidence: float) -> float:
    """Standard normal quantile of a two-sided interval.

    >>> round(z_of(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def normal_interval(
    name: str, value: float, error: float, z: float, *, floor: float = -math.inf, ceiling: float = math.inf
) -> Estimate:
    """Value plus and minus z standard errors, cut at the metric's own range.

    >>> normal_interval("auc", 0.99, 0.01, 2.0, ceiling=1.0).high
    1.0
    """
    return Estimate(name, value, error, max(value - z * error, floor), min(value + z * error, ceiling))


def wilson_interval(name: str, hits: float, trials: float, z: float) -> Estimate:
    """A share with its score interval: Wilson (1927), JASA 22, 209.

    It stays inside 0 to 1 and is not empty at 0 or 1, where `normal_interval` would be.

    >>> found = wilson_interval("recall", 0, 10, 1.96)
    >>> found.low, round(found.high, 3)
    (0.0, 0.278)
    """
    share = hits / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low = 0.0 if hits == 0 else max(centre - half, 0.0)
    high = 1.0 if hits == trials else min(centre + half, 1.0)
    return Estimate(name, share, math.sqrt(share * (1 - share) / trials), low, high)


def mean_interval(
    name: str, total: float, squares: float, rows: int, z: float, *, floor: float = -math.inf
) -> Estimate:
    """A mean from its sum and its sum of squares, by the central limit theorem.

    >>> found = mean_interval("mae", 4.0, 10.0, 2, 1.96)
    >>> found.value, found.standard_error
    (2.0, 1.0)
    """
    mean = total / rows
    variance = max(squares / rows - mean * mean, 0.0) * rows / max(rows - 1, 1)
    return normal_interval(name, mean, math.sqrt(variance / rows), z, floor=floor)


def delta_error(gradient: NDArray[np.float64], shares: NDArray[np.float64], rows: int) -> float:
    """Standard error of a smooth function of multinomial shares: the delta method (Agresti 2013, section 16.1).

    The variance is (sum p g^2 - (sum p g)^2) / n, with p the shares and g the gradient there.

    >>> round(delta_error(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 100), 3)
    0.05
    """
    mean = float(shares @ gradient)
    return math.sqrt(max(float(shares @ gradient**2) - mean**2, 0.0) / rows)


def ratio_interval(name: str, low_rate: Estimate, high_rate: Estimate) -> Estimate:
    """Ratio of two independent rates, from their own intervals: the method of variance estimates recovery on logarithms.

    ln L = ln(a/b) - sqrt(ln^2(a/l_a) + ln^2(u_b/b)), and U alike with the other ends: Zou and Donner (2008), Stat. Med. 27,
    1693. A rate of zero gives 0; the upper end is then the zero rate's own upper end divided by the other's lower end.

    >>> from kedge.intervals import wilson_interval
    >>> rates = [wilson_interval("selection_rate", hits, 1000, 1.96) for hits in (200, 400)]
    >>> found = ratio_interval("disparate_impact", *rates)
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (0.5, 0.43, 0.58)
    """
    a, b = low_rate, high_rate
    if a.value == 0.0:
        return Estimate(name, 0.0, 0.0, 0.0, min(a.high / b.low, 1.0))
    ratio = a.value / b.value
    down = math.hypot(math.log(a.value / a.low), math.log(b.high / b.value))
    up = math.hypot(math.log(a.high / a.value), math.log(b.value / b.low))
    error = ratio * math.hypot(a.standard_error / a.value, b.standard_error / b.value)
    return Estimate(name, ratio, error, ratio * math.exp(-down), ratio * math.exp(up))


def difference_interval(name: str, high_rate: Estimate, low_rate: Estimate) -> Estimate:
    """Difference of two independent rates, from their own score intervals: Newcombe (1998), Stat. Med. 17, 873, method 10.

    >>> from kedge.intervals import wilson_interval
    >>> rates = [wilson_interval("selection_rate", hits, trials, 1.959964) for hits, trials in ((56, 70), (48, 80))]
    >>> found = difference_interval("demographic_parity_difference", *rates)
    >>> round(found.low, 4), round(found.high, 4)
    (0.0524, 0.3339)
    """
    a, b = high_rate, low_rate
    value = a.value - b.value
    low = value - math.hypot(a.value - a.low, b.high - b.value)
    high = value + math.hypot(a.high - a.value, b.value - b.low)
    return Estimate(name, value, math.hypot(a.standard_error, b.standard_error), low, high)
