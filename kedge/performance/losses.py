"""Every measured metric beside its reference: which are worse, by so much that it matters and more than chance allows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from kedge.comparisons import change, figures, percent
from kedge.config.metrics import Metric, find
from kedge.intervals import LOSS_LEVEL, Estimate, z_of
from kedge.statistics.holm import holm_adjusted


@dataclass(frozen=True)
class MetricLoss:
    """A metric that is worse than its reference.

    Attributes
    ----------
    fraction : float
        The loss as a fraction of what the table of metrics measures it by.
    p_value_adjusted : float
        One-sided, corrected over every metric of the window.
    """

    metric: str
    fraction: float
    p_value_adjusted: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As the metric's row in the report holds it under "loss"; beside a reference of nothing it has no fraction."""
        size = {"fraction": self.fraction} if math.isfinite(self.fraction) else {}
        return size | {"p_value_adjusted": self.p_value_adjusted}


def judge_losses(
    measured: Mapping[str, Estimate],
    expected: Mapping[str, Estimate],
    problem: str,
    *,
    confidence: float,
    without: Collection[str] = (),
) -> dict[str, MetricLoss]:
    """The metrics that are worse than their reference, the largest loss first.

    A loss must be at least `Metric.notable` of its measure, and certain: one-sided, Holm over every metric that both sides have
    and that has a better side. The error of each side is taken from the end of its interval that faces the other, as for a
    difference of two rates (Newcombe 1998, Stat. Med. 17, 873): a rate of 0 or 1 in few rows has an interval, and no error.

    Parameters
    ----------
    measured, expected : mapping of str to Estimate
        The window's metrics and the reference's; one that a side lacks is not compared.
    confidence : float
        Of their intervals.
    without : collection of str
        Metrics that the window has too few rows for.

    >>> reference = {"recall": Estimate("recall", 0.57, 0.01, 0.55, 0.59)}
    >>> window = {"recall": Estimate("recall", 0.26, 0.02, 0.22, 0.30)}
    >>> judge_losses(window, reference, "binary_classification", confidence=0.95)["recall"].reason
    'recall 0.57 -> 0.26 (worse), interval 0.22 to 0.3, a loss of 54.4% beyond chance; reference 0.55 to 0.59'
    """
    compared = {
        name: metric
        for name in measured
        if name in expected and name not in without and (metric := find(name, problem)) and metric.notable is not None
    }
    if not compared:
        return {}
    z = z_of(confidence)
    excess = np.array([_excess(measured[name], expected[name], metric, z) for name, metric in compared.items()])
    adjusted = dict(zip(compared, holm_adjusted(ndtr(-excess)).tolist(), strict=True))
    found = [
        _loss(measured[name], expected, metric, adjusted[name])
        for name, metric in compared.items()
        if adjusted[name] < LOSS_LEVEL
    ]
    large = (loss for loss in found if loss.fraction >= (compared[loss.metric].notable or 0.0))
    return {loss.metric: loss for loss in sorted(large, key=lambda loss: -loss.fraction)}


def _loss(now: Estimate, expected: Mapping[str, Estimate], metric: Metric, p_value: float) -> MetricLoss:
    before = expected[now.name]
    worse = _worse_by(now.value, before.value, metric)
    measure = expected.get(metric.notable_of or now.name)
    fraction = worse / abs(measure.value) if measure and measure.value else math.inf
    *ends, low, high = figures(now.low, now.high, before.low, before.high)
    of = f" of the reference's {metric.notable_of}" if metric.notable_of else ""
    size = f"a loss of {percent(fraction)}{of} beyond chance" if math.isfinite(fraction) else "a loss beyond chance"
    reason = (
        f"{change(now.name, before.value, now.value, metric.better)}, interval {' to '.join(ends)}, {size}; "
        f"reference {low} to {high}"
    )
    return MetricLoss(now.name, fraction, p_value, reason)


def _worse_by(now: float, before: float, metric: Metric) -> float:
    """How much worse the window is, above zero if it is."""
    if metric.better == "zero":
        return abs(now) - abs(before)
    return before - now if metric.better == "higher" else now - before


def _excess(now: Estimate, before: Estimate, metric: Metric, z: float) -> float:
    """How many standard errors worse the window is; 0 where it is not, and where neither side has an error."""
    worse = _worse_by(now.value, before.value, metric)
    if worse <= 0:
        return 0.0
    falls = now.value < before.value
    # Of a metric that is best at zero the two may lie on both sides of it: then only the widest ends are safe.
    facing = (
        (now.high - now.value, before.value - before.low)
        if falls
        else (now.value - now.low, before.high - before.value)
    )
    errors = [max(side.standard_error, end / z) for side, end in zip((now, before), facing, strict=True)]
    error = math.hypot(*errors)
    return worse / error if error > 0 else 0.0
