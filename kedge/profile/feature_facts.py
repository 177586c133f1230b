"""Facts of each feature from one reading of the training rows: its levels, or the moments of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Floats
from kedge.columns.ages import RowTimes, ages_in_days, newest_times
from kedge.columns.casting import Column
from kedge.columns.row_batches import RowBatches, grouped
from kedge.profile.levels import LevelCounts


@dataclass(frozen=True)
class Moments:
    """Numbers added up; of numbers in batches they are those of all, but for the rounding of the last digits.

    Attributes
    ----------
    squares : float
        Sum of the squared differences from the mean.

    >>> found = Moments.of(np.array([1.0, 2.0])) + Moments.of(np.array([6.0]))
    >>> found.rows, found.mean, round(found.std_dev, 4), found.low, found.high
    (3, 3.0, 2.1602, 1.0, 6.0)
    """

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """Those of some numbers."""
        if not len(values):
            return cls()
        squares = float(((values - values.mean()) ** 2).sum())
        return cls(len(values), float(values.sum()), squares, float(values.min()), float(values.max()))

    def __add__(self, other: Moments) -> Moments:
        if not self.rows or not other.rows:
            return other if other.rows else self
        # Chan, Golub and LeVeque (1983), Am. Stat. 37, 242: no difference of two large sums is taken.
        rows, apart = self.rows + other.rows, other.mean - self.mean
        squares = self.squares + other.squares + apart**2 * self.rows * other.rows / rows
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Moments(rows, self.total + other.total, squares, low, high)

    @property
    def mean(self) -> float:
        """Of at least one number."""
        return self.total / self.rows

    @property
    def std_dev(self) -> float:
        """Of the numbers themselves, not an estimate of a population's."""
        return float(np.sqrt(self.squares / self.rows))


@dataclass
class FeatureFacts:
    """What the values of a feature are, as far as they have been read.

    Attributes
    ----------
    rows, missing : int
        Rows, and those of them that have no value.
    numbers : Moments
        Of a number, or of a timestamp's ages in days.
    levels : LevelCounts
        Of a category or a boolean.
    """

    column: Column
    rows: int = 0
    missing: int = 0
    numbers: Moments = Moments()
    levels: LevelCounts = field(default_factory=LevelCounts)

    def add(self, values: Any) -> None:
        """Read more values, in the type that the model's YAML declares."""
        self.rows += len(values)
        self.missing += values.null_count
        if self.column.is_number:
            self.numbers += Moments.of(values.drop_null().cast(pa.float64()).to_numpy())
        else:
            self.levels.add(values)


def read_facts(columns: Sequence[Column], rows: RowBatches, *, times: str | None) -> dict[str, FeatureFacts]:
    """Read the features some at a time, in memory that grows with their levels alone.

    Parameters
    ----------
    times : str or None
        The column with each row's time; None for the newest value of each timestamp.

    >>> rows = RowBatches.of(pa.table({"x": [1.0, None]}))
    >>> read_facts([Column("x", "feature", "numeric", "float64")], rows, times=None)["x"].missing
    1
    """
    found = {column.name: FeatureFacts(column) for column in columns}
    for group in grouped(tuple(columns)):
        names = [column.name for column in group]
        known: RowTimes = newest_times(group, rows.read(names)) if times is None else times
        for batch in rows.read(names if times is None else [*names, times]):
            for column in group:
                found[column.name].add(_values(batch, column, known))
    return found


def _values(batch: Any, column: Column, times: RowTimes) -> Any:
    if column.kind != "timestamp":
        return batch.column(column.name)
    ages = ages_in_days(batch, column, times).values
    return pa.array(ages, mask=np.isnan(ages))
