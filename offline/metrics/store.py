"""The numbers behind CloudWatch: one series per metric, a bucket per minute, statistics over any period.

CloudWatch keeps a metric's values by the minute for fifteen days and coarser after that; here the minutes are kept.
A held series is a gauge that the service would publish every minute: its changes are kept, and its value counts in
every minute until the next.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

MINUTE = 60
Key = tuple[str, str, tuple[tuple[str, str], ...]]
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def key_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    """Return what names a metric: its namespace, name and dimensions in order."""
    return namespace, name, tuple(sorted(dimensions.items()))


@dataclass(slots=True)
class Bucket:
    """What a metric received within a period: enough for every statistic."""

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: dict[float, float] = field(default_factory=dict)  # value -> how often; empty for statistic sets
    unit: str | None = None

    def add(self, value: float, times: float = 1.0) -> None:
        """Count a value in."""
        self.count += times
        self.total += value * times
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        self.values[value] = self.values.get(value, 0.0) + times

    def merge(self, other: Bucket) -> None:
        """Count another bucket's values in."""
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        self.unit = other.unit
        for value, times in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + times

    def statistic(self, name: str) -> float:
        """Return one of CloudWatch's statistics, or a percentile such as p99.9."""
        plain = {
            "SampleCount": self.count,
            "Sum": self.total,
            "Average": self.total / self.count if self.count else math.nan,
            "Minimum": self.low,
            "Maximum": self.high,
        }
        return plain[name] if name in plain else self._percentile(float(name[1:]) / 100)

    def _percentile(self, fraction: float) -> float:
        """Return the value below which a fraction lies, interpolated between neighbouring values."""
        if not self.values:  # a statistic set: what CloudWatch can tell is the one value, if all were equal
            return self.high
        rank, seen = fraction * (self.count - 1), 0.0
        ordered = sorted(self.values)
        for index, value in enumerate(ordered):
            seen += self.values[value]
            if rank <= seen - 1 or index == len(ordered) - 1:
                return value
            if rank < seen:
                return value + (rank - (seen - 1)) * (ordered[index + 1] - value)
        return ordered[-1]


class Series:
    """One metric's buckets in order of their minutes."""

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self._minutes: list[int] = []
        self._buckets: list[Bucket] = []
        self._last: list[float] = []  # the value at each minute's end; for a held series

    def at(self, minute: int) -> Bucket:
        """Return the bucket of a minute (in seconds since 1970, whole minutes), made if need be."""
        if self._minutes and self._minutes[-1] == minute:
            return self._buckets[-1]
        index = bisect_left(self._minutes, minute)
        if index == len(self._minutes) or self._minutes[index] != minute:
            self._minutes.insert(index, minute)
            self._buckets.insert(index, Bucket())
            self._last.insert(index, 0.0)
        return self._buckets[index]

    def put(self, second: float, value: float, unit: str | None, times: float = 1.0) -> None:
        """Count a value in at a time."""
        bucket = self.at(int(second) // MINUTE * MINUTE)
        bucket.add(value, times)
        bucket.unit = unit
        if self.held:
            self._last[bisect_left(self._minutes, int(second) // MINUTE * MINUTE)] = value

    def period(self, start: int, end: int) -> Bucket | None:
        """Return everything of the half-open period, or None if there is nothing."""
        first, last = bisect_left(self._minutes, start), bisect_left(self._minutes, end)
        if last == first + 1 and not self.held:
            return self._buckets[first]
        merged = Bucket()
        for bucket in self._buckets[first:last]:
            merged.merge(bucket)
        if self.held:
            self._hold(merged, start, end, first, last)
        return merged if merged.count else None

    def _hold(self, merged: Bucket, start: int, end: int, first: int, last: int) -> None:
        """Count in the minutes in which a held value did not change."""
        marks = [*self._minutes[first:last], end]
        if first > 0:
            merged.unit = merged.unit or self._buckets[first - 1].unit
            if marks[0] > start:
                merged.add(self._last[first - 1], (marks[0] - start) // MINUTE)
        for index, (here, there) in enumerate(pairwise(marks)):
            if there - here > MINUTE:
                merged.add(self._last[first + index], (there - here) // MINUTE - 1)

    def latest(self, before: int) -> int | None:
        """Return the last minute before a time that has data, or None."""
        if self.held and self._minutes and self._minutes[0] < before:
            return before - MINUTE
        index = bisect_left(self._minutes, before)
        return self._minutes[index - 1] if index else None

    def starts(self, start: int, end: int, period: int) -> list[int]:
        """Return the starts of the periods within [start, end) that have data."""
        if self.held:
            return [at for at in range(start, end, period) if self.period(at, at + period)]
        found = self._minutes[bisect_left(self._minutes, start) : bisect_left(self._minutes, end)]
        return sorted({start + (minute - start) // period * period for minute in found})

    @property
    def first(self) -> int | None:
        """Return the first minute that has data."""
        return self._minutes[0] if self._minutes else None

    def active_since(self, minute: int) -> bool:
        """Tell whether anything came in at or after a minute."""
        return bisect_right(self._minutes, minute - 1) < len(self._minutes)
