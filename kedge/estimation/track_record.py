"""How right the estimates of a model's quality have been, and how much weight they have left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from kedge.instants import from_text, to_text
from kedge.intervals import Estimate, z_of
from kedge.stored import build

# The newest windows show how good the estimator is now; rows shared by two windows are one piece of evidence.
WINDOWS_REMEMBERED = 10
# An estimator without a record is treated as if this many windows had been exactly as wrong as its error says.
PRIOR_WINDOWS = 2
# Enough for windows that overlap day by day.
COMPARISONS_KEPT = 200


@dataclass(frozen=True)
class Comparison:
    """One metric of one window, estimated and then known, on the same rows.

    Attributes
    ----------
    estimate, standard_error : float
        The estimate before the labels, with its own standard error.
    truth : float
        The metric measured on the same rows.
    """

    start: datetime
    end: datetime
    metric: str
    estimate: float
    standard_error: float
    truth: float

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        times = {name: to_text(getattr(self, name)) for name in ("start", "end")}
        return asdict(self) | times


@dataclass(frozen=True)
class TrackRecord:
    """One model's estimates beside the measured values, ascending by end."""

    comparisons: tuple[Comparison, ...] = ()

    def independent(self, metric: str) -> tuple[Comparison, ...]:
        """The newest comparisons of a metric that share no rows, newest first."""
        found: list[Comparison] = []
        for comparison in reversed([one for one in self.comparisons if one.metric == metric]):
            if not found or comparison.end <= found[-1].start:
                found.append(comparison)
        return tuple(found[:WINDOWS_REMEMBERED])

    def with_new(self, comparisons: Sequence[Comparison]) -> TrackRecord:
        """The record with a window's comparisons; a window that is judged again replaces itself."""
        known = {(one.end, one.metric): one for one in (*self.comparisons, *comparisons)}
        ordered = sorted(known.values(), key=lambda one: (one.end, one.metric))
        return TrackRecord(tuple(ordered[-COMPARISONS_KEPT:]))

    def before(self, end: datetime) -> TrackRecord:
        """What was known when a window with this end was judged first.

        >>> day = datetime(2026, 3, 1)
        >>> record = TrackRecord((Comparison(day, day, "auc", 0.8, 0.01, 0.8),))
        >>> len(record.before(day).comparisons), len(record.before(datetime(2026, 3, 2)).comparisons)
        (0, 1)
        """
        return TrackRecord(tuple(one for one in self.comparisons if one.end < end))

    def to_json(self) -> list[dict[str, Any]]:
        """As JSON values."""
        return [one.to_json() for one in self.comparisons]

    @classmethod
    def from_json(cls, data: Sequence[Mapping[str, Any]]) -> TrackRecord:
        """The record that `to_json` wrote.

        >>> TrackRecord.from_json(TrackRecord().to_json())
        TrackRecord(comparisons=())
        """
        times = ({name: from_text(one[name]) for name in ("start", "end")} for one in data)
        return cls(tuple(build(Comparison, {**one, **time}) for one, time in zip(data, times, strict=True)))

    def scale(self, metric: str) -> float:
        """The factor by which the estimate's error must grow to explain its past errors; at least 1.

        The root mean square of (estimate - truth) / claimed error, with `PRIOR_WINDOWS` of 1 mixed in: Birge (1932),
        Phys. Rev. 40, 207. If P(y given x) has moved it grows, because the estimate does not see that.

        >>> from datetime import UTC
        >>> day = datetime(2016, 1, 1, tzinfo=UTC)
        >>> wrong = Comparison(day, day, "auc", 0.80, 0.01, 0.75)
        >>> round(TrackRecord((wrong,)).scale("auc"), 1)
        3.0
        """
        squares = [_surprise(one) ** 2 for one in self.independent(metric)]
        return max(1.0, math.sqrt((PRIOR_WINDOWS + sum(squares)) / (PRIOR_WINDOWS + len(squares))))

    def weight(self, metric: str) -> float:
        """The estimate's weight compared with one that was always right, 0 to 1: 1 / scale^2."""
        return self.scale(metric) ** -2

    def widened(self, estimate: Estimate, *, confidence: float) -> Estimate:
        """The estimate with its error multiplied by `scale`."""
        error = estimate.standard_error * self.scale(estimate.name)
        reach, scale = z_of(confidence) * error, self.scale(estimate.name)
        if scale == 1.0:
            return estimate
        return Estimate(estimate.name, estimate.value, error, estimate.value - reach, estimate.value + reach)


def compare(
    estimates: Mapping[str, Estimate], truths: Mapping[str, Estimate], *, start: datetime, end: datetime
) -> tuple[Comparison, ...]:
    """Compare estimated and measured values on the same rows.

    >>> from datetime import UTC
    >>> day, found = datetime(2016, 1, 1, tzinfo=UTC), {"auc": Estimate("auc", 0.8, 0.01, 0.78, 0.82)}
    >>> [one.truth for one in compare(found, found | {"mae": found["auc"]}, start=day, end=day)]
    [0.8]
    """
    return tuple(
        Comparison(start, end, name, found.value, found.standard_error, truths[name].value)
        for name, found in estimates.items()
        if name in truths
    )


def _surprise(comparison: Comparison) -> float:
    missed = comparison.estimate - comparison.truth
    # An estimate without any error of its own is wrong as soon as the truth differs at all.
    floor = 1e-6 * max(1.0, abs(comparison.truth))
    return missed / max(comparison.standard_error, floor)
