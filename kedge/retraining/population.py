"""How many rows there are to learn from, by hour and class: what is used of them is decided by this alone, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Ints
from kedge.config.model import ModelConfig
from kedge.own_columns import LABEL, TIME
from kedge.retraining.snapshot import Split, boundary_place

HOUR_MICROSECONDS = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RowCounts:
    """Labelled rows counted by time and class.

    Attributes
    ----------
    times : ndarray of int, shape (n_groups,)
        Microseconds since 1970, in UTC: of a row, or of the hour that its rows are in.
    codes : ndarray of int, shape (n_groups,)
        As `class_codes` gives them.
    rows : ndarray of int, shape (n_groups,)
    """

    times: Ints
    codes: Ints
    rows: Ints

    @property
    def hours(self) -> Ints:
        """Beginning of each group's hour, in microseconds since 1970."""
        return self.times // HOUR_MICROSECONDS * HOUR_MICROSECONDS

    def only(self, groups: np.ndarray) -> RowCounts:
        """Some of the groups."""
        return RowCounts(self.times[groups], self.codes[groups], self.rows[groups])


@dataclass(frozen=True)
class Population:
    """The rows on both sides of a split in time.

    Attributes
    ----------
    training : RowCounts
        By hour and class.
    holdout : int
        Rows.
    boundary : datetime or None
        The newest time of the training side; None without rows.
    """

    training: RowCounts
    holdout: int
    boundary: datetime | None

    def by_class(self, config: ModelConfig) -> Ints:
        """Training rows of each class code."""
        return np.bincount(self.training.codes, self.training.rows, len(config.classes) + 1).astype(np.int64)


def class_codes(labels: pa.ChunkedArray, config: ModelConfig) -> Ints:
    """Code of each label's class; 0 for a regression; one more than the last for a label that is not a class."""
    if config.problem == "regression":
        return np.zeros(len(labels), np.int64)
    places = pc.index_in(labels, value_set=pa.array(config.classes, pa.string()))
    return np.asarray(pc.fill_null(places, len(config.classes)).to_numpy(), np.int64)


def counts_of(rows: pa.Table, config: ModelConfig) -> RowCounts:
    """Count labelled rows, each a group of its own."""
    times = np.asarray(rows.column(TIME).cast(pa.int64()).to_numpy(), np.int64)
    return RowCounts(times, class_codes(rows.column(LABEL), config), np.ones(len(times), np.int64))


def together(tallies: Sequence[RowCounts]) -> RowCounts:
    """The groups of all tallies."""
    times, codes, rows = (
        np.concatenate([getattr(each, name) for each in tallies]) for name in ("times", "codes", "rows")
    )
    return RowCounts(times, codes, rows)


def population_of(split: Split, config: ModelConfig) -> Population:
    """Count the rows of a split that is all there."""
    return Population(counts_of(split.training, config), split.holdout.num_rows, split.training_end)


def boundary_hour(by_hour: RowCounts, *, holdout_fraction: float, learnt_until: datetime | None) -> datetime | None:
    """Beginning of the hour in which `split_in_time` would split these rows; None without rows.

    >>> hours = np.array([0, 1, 2]) * HOUR_MICROSECONDS
    >>> tally = RowCounts(hours, np.zeros(3, np.int64), np.array([6, 2, 2]))
    >>> boundary_hour(tally, holdout_fraction=0.3, learnt_until=None).hour
    1
    """
    if not by_hour.rows.sum():
        return None
    place = boundary_place(int(by_hour.rows.sum()), holdout_fraction)
    hour = moment(int(_at_place(by_hour.hours, by_hour.rows, place)))
    if learnt_until is None:
        return hour
    return max(hour, learnt_until.replace(minute=0, second=0, microsecond=0))


def split_population(
    by_hour: RowCounts,
    within: RowCounts,
    hour: datetime | None,
    *,
    holdout_fraction: float,
    learnt_until: datetime | None,
) -> Population:
    """Split counted rows as `split_in_time` splits rows.

    Parameters
    ----------
    by_hour : RowCounts
        Of all rows, by their hours.
    within : RowCounts
        Of the rows of the boundary's hour, by their times.
    hour : datetime or None
        As `boundary_hour` gives it.
    """
    if hour is None:
        return Population(by_hour, 0, None)
    start = microseconds(hour)
    before = by_hour.only(by_hour.hours < start)
    place = boundary_place(int(by_hour.rows.sum()), holdout_fraction) - int(before.rows.sum())
    ends = [learnt_until] if learnt_until else []
    # The wished place may lie before this hour, where a model has learnt from later rows.
    ends += [moment(int(_at_place(within.times, within.rows, place)))] if place >= 0 else []
    boundary = max(ends)
    training = together([before, within.only(within.times <= microseconds(boundary))])
    return Population(training, int(by_hour.rows.sum() - training.rows.sum()), boundary)


def moment(since_1970: int) -> datetime:
    """A time from its microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=since_1970)


def microseconds(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def _at_place(times: Ints, rows: Ints, place: int) -> int:
    """The time of the row at a place, oldest first."""
    order = np.argsort(times, kind="stable")
    return int(times[order][np.searchsorted(np.cumsum(rows[order]), place, side="right")])
