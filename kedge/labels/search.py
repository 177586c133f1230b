"""The days on which labels' rows were answered, found by opening as few days as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Bools, Hashes, Ints
from kedge.capture.id_hashes import stand_in
from kedge.labels.fold import HINT, REACHED, SEARCHED
from kedge.own_columns import COLLECTED

# Rows are counted up to two days late, so these days can still gain some: today and the two before it.
LATE_DAYS = 2
# A label may come this many days before its row is counted.
PATIENCE_DAYS = 3
Answered = Callable[[date, Hashes], Iterable[Hashes]]
_EPOCH = date(1970, 1, 1)
_NEVER, _NOT_BEGUN = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Found:
    """The days to which labels belong.

    Attributes
    ----------
    days : ndarray of int, shape (n_labels,)
        Days since 1970 of the row that has the label's id; `nowhere` marks labels without one.
    searched : ndarray of bool, shape (n_labels,)
        Labels for which every day of the search was opened.
    cut : ndarray of bool, shape (n_labels,)
        Labels without a row for which a day was left out, because the time was over.
    reached : array of date, shape (n_labels,)
        For labels whose search was cut: the day down to which it came; else null.
    is_searched : bool
        Whether no first search was cut; the days that can still gain rows may not all have been looked at again.
    opened : int
        Number of days whose ids were read.
    """

    days: Ints
    searched: Bools
    cut: Bools
    reached: Any
    is_searched: bool
    opened: int

    @property
    def nowhere(self) -> Bools:
        """Labels whose id no day has."""
        return np.asarray(self.days == _NEVER)

    def by_day(self) -> Iterable[tuple[date, Bools]]:
        """Each day that gains labels, with its labels."""
        for day in np.unique(self.days[~self.nowhere]).tolist():
            yield _day(day), self.days == day


def find_rows(
    labels: tuple[pa.Table, Hashes],
    answered: Answered,
    days_since: Callable[[date], Iterable[date]],
    *,
    now: datetime,
    limit_days: int,
    has_time: Callable[[], bool] = lambda: True,
) -> Found:
    """Find the rows of labels, opening as few days as possible.

    A label with a hint is searched on that day alone. A label without one is searched from the day after its collection backwards,
    newest first, until all are found; later only on the days that can still gain rows. A label with a wrong hint is treated the
    same: its day is too old to gain the row, or its waiting time is over.

    A search whose time is over stops between two days, after one at least. It goes on there the next time, and looks again only at
    the days that can still gain rows.

    Parameters
    ----------
    labels : (Table, ndarray of uint64, shape (n_labels,))
        The labels as `waiting_schema` says, each id once, and the hashes of their ids. A day is found by the hash alone, and a label joins
        its row by the text: two ids of one hash can only lead a label to a day that lacks its row. Of labels that are held against a
        billion rows each, that is one in 18 billion.
    answered : callable
        Gives those of some hashes, sorted, that are among the ids which were answered on a day, some at a time.
    days_since : callable
        Gives the days, from a day on, with any answers.
    limit_days : int
        How long before its collection a label's row may have been answered.
    has_time : callable
        Says whether another day may be opened.

    >>> from kedge.labels.fold import waiting_labels
    >>> records = pa.table({"kedge_row_id": ["a"], "label": ["1"], "inference_time": pa.nulls(1, pa.string())})
    >>> at = datetime(2016, 1, 9)
    >>> waiting = waiting_labels(records, collected=at, source="k", fields=[], id_time_format=None)
    >>> ids = {date(2016, 1, 8): [8], date(2016, 1, 4): [4], date(2016, 1, 2): [2]}
    >>> def answered(day, hashes):
    ...     return [np.intersect1d(hashes, ids[day])]
    >>> found = find_rows((waiting, np.array([4], np.uint64)), answered, lambda first: list(ids), now=at, limit_days=30)
    >>> [day.isoformat() for day, _ in found.by_day()], found.opened
    (['2016-01-04'], 2)
    """
    search, (waiting, _) = _Search(labels, answered, days_since, has_time), labels
    today, collected = _number(now.date()), _numbers(waiting.column(COLLECTED))
    hint, searched = _numbers(waiting.column(HINT)), waiting.column(SEARCHED).to_numpy()
    # If a clock or a time zone is wrong, a label may seem to come before its row.
    first, last = collected - limit_days, collected + 1
    late, begun = np.int64(today - LATE_DAYS), search.reached != _NOT_BEGUN
    hinted = ~searched & ~begun & (hint != _NEVER)
    search.look(hinted, hint, lambda day: hint == day)
    can_gain = (hint >= late) & (hint <= today + 1)
    back = ~searched & ((hint == _NEVER) | ~can_gain | given_up(waiting, now))
    # If the time is over, whoever was looked for on the day of the hint is not looked for there again.
    search.reached[hinted & ~search.cut] = today + 2
    search.look(back, first, lambda day: (first <= day) & (day <= last) & (day < search.reached), backwards=True)
    is_done, is_searched = searched | (back & ~search.cut), not search.cut.any()
    # The days that can still gain rows are looked at again, from the newest on.
    search.reached[begun & back & ~search.cut] = _NOT_BEGUN
    search.look(
        searched | begun, np.full(len(hint), late), lambda day: (day >= late) & (day < search.reached), backwards=True
    )
    goes_on = search.cut | (hinted & ~is_done & search.is_over)
    return Found(search.found, is_done, search.cut, search.reached_days(goes_on), is_searched, search.opened)


def given_up(waiting: pa.Table, now: datetime) -> Bools:
    """Labels that were collected too long ago for their row still to be counted."""
    oldest = pa.scalar(now - timedelta(days=PATIENCE_DAYS), pa.timestamp("us", "UTC"))
    return np.asarray(pc.less(waiting.column(COLLECTED), oldest).to_numpy())


def search_days(horizon_days: float | None, *, at_least: int, at_most: int) -> int:
    """How many days before its collection a label's row is searched: twice the label horizon if known, else the maximum.

    >>> search_days(21.5, at_least=30, at_most=400), search_days(None, at_least=30, at_most=400)
    (43, 400)
    """
    return at_most if horizon_days is None else int(min(max(np.ceil(2 * horizon_days), at_least), at_most))


class _Search:
    """The search for labels, day by day."""

    def __init__(
        self,
        labels: tuple[pa.Table, Hashes],
        answered: Answered,
        days_since: Callable[[date], Iterable[date]],
        has_time: Callable[[], bool],
    ) -> None:
        waiting, self.hashes = labels
        self.answered, self.days_since, self.has_time = answered, days_since, has_time
        self.found, self.opened, self.is_over = np.full(waiting.num_rows, _NEVER, np.int64), 0, False
        self.cut, self.reached = np.zeros(waiting.num_rows, bool), _numbers(waiting.column(REACHED), _NOT_BEGUN)

    def look(self, which: Bools, first: Ints, wanted: Callable[[int], Bools], *, backwards: bool = False) -> None:
        """Search some labels, each not before its first day; open each day on which a missing one may be, newest first.

        Of a search `backwards` that is cut it is noted how far it came.
        """
        missing = which & (self.found == _NEVER)
        if not missing.any():
            return
        for day in sorted(map(_number, self.days_since(_day(max(int(first[missing].min()), 0)))), reverse=True):
            asked = missing & wanted(day)
            if not asked.any():
                continue
            self.is_over = self.is_over or (self.opened > 0 and not self.has_time())
            if self.is_over:
                # Which labels the days that are left out may have.
                self.cut |= asked
                continue
            self._open(day, np.flatnonzero(asked))
            missing = which & (self.found == _NEVER)
            if backwards:
                self.reached[missing] = np.minimum(self.reached[missing], day)
            if not missing.any():
                return

    def reached_days(self, which: Bools) -> Any:
        """How far the search for some labels has come."""
        begun = which & (self.reached != _NOT_BEGUN)
        return pa.array(self.reached.astype(np.int32), pa.int32(), mask=~begun).cast(pa.date32())

    def _open(self, day: int, asked: Ints) -> None:
        self.opened += 1
        hashes = self.hashes[asked]
        met = [*self.answered(_day(day), np.sort(hashes))]
        if met:
            self.found[asked[stand_in(hashes, np.sort(np.concatenate(met)))]] = day


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _numbers(column: Any, absent: int = _NEVER) -> Ints:
    days = column.cast(pa.date32()).cast(pa.int32()).fill_null(absent)
    return np.array(days.to_numpy(), np.int64)


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)
