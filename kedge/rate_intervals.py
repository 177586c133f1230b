"""Ratio and difference of two independent rates, from the intervals of each."""

from __future__ import annotations

import math

from kedge.intervals import Estimate


def ratio_interval(name: str, low_rate: Estimate, high_rate: Estimate) -> Estimate:
    """Ratio of two independent rates, from their own intervals: the method of variance estimates recovery on logarithms.

    ln L = ln(a/b) - sqrt(ln^2(a/l_a) + ln^2(u_b/b)), and U alike with the other ends: Zou and Donner (2008), Stat. Med. 27,
    1693. A rate of zero gives 0, up to the rate that the zero may hide over the other's lower end.

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
