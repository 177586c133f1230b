"""A file of history cut into windows by its rows' times, read a batch at a time, in any order of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cli.rows.files import RowFiles, UnreadableFileError
from cli.rows.sources import NO_ROWS
from kedge.arrays import Ints
from kedge.backtest.grid import BEFORE, WindowGrid
from kedge.columns.times import RowTimes, at, row_times

WINDOWS_MAX = 2000


@dataclass
class TimeSurvey:
    """The result of a first look at the times alone.

    `rows`, `first` and `last` are by window: how many rows, and the numbers of its first and last row in the files.
    """

    rows: dict[int, int] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    undated: int = 0
    oldest: int = 0
    newest: int = 0
    resolution: int = 0
    seen: int = 0

    def add(self, times: RowTimes, grid: WindowGrid) -> None:
        """Take in the next batch."""
        known = times.microseconds[times.known]
        places = np.flatnonzero(times.known) + self.seen
        self.seen += len(times.known)
        self.undated += int((~times.known).sum())
        if not len(known):
            return
        self.oldest = int(known.min()) if not self.rows else min(self.oldest, int(known.min()))
        self.newest = int(known.max()) if not self.rows else max(self.newest, int(known.max()))
        self.resolution = int(np.gcd(self.resolution, np.gcd.reduce(np.abs(known - grid.start))))
        codes, first, counts = np.unique(grid.codes(known), return_index=True, return_counts=True)
        for code, place, count in zip(codes.tolist(), first.tolist(), counts.tolist(), strict=True):
            self.rows[code] = self.rows.get(code, 0) + count
            self.first.setdefault(code, int(places[place]))
        for code, place in _last_places(grid.codes(known), places).items():
            self.last[code] = place


@dataclass(frozen=True)
class HistoryStretch:
    """Where one window's rows stand in a batch; `is_last` if the window has no more."""

    code: int
    rows: slice
    is_last: bool


@dataclass(frozen=True)
class HistoryBatch:
    """Rows that were read together, with their times: a stretch a window, one behind the other."""

    table: pa.Table
    microseconds: Ints
    stretches: tuple[HistoryStretch, ...]


@dataclass(frozen=True)
class History:
    """Rows with their times, and the windows that they fill."""

    files: RowFiles
    time: str
    grid: WindowGrid
    survey: TimeSurvey
    windows: int

    @property
    def rest_rows(self) -> int:
        """Rows after the last complete window."""
        return sum(rows for code, rows in self.survey.rows.items() if code >= self.windows)

    def before(self, columns: list[str]) -> Iterator[pa.Table]:
        """The rows older than the first window."""
        for batch in self.baseline_batches(columns):
            yield batch.table

    def batches(self, columns: list[str], *, open_at_once: int) -> Iterator[HistoryBatch]:
        """The rows of all complete windows; at any time at most `open_at_once` have begun and not ended.

        Rows in the order of time are read once. For other orders the files are read several times.
        """
        waiting = {code for code in self.survey.rows if 0 <= code < self.windows}
        while waiting:
            for batch in self._batches(columns, waiting, open_at_once):
                yield batch
                waiting -= {stretch.code for stretch in batch.stretches if stretch.is_last}

    def baseline_batches(self, columns: list[str]) -> Iterator[HistoryBatch]:
        """The rows older than the first window, with their times."""
        yield from self._batches(columns, {BEFORE}, 1)

    def all_rows(self, columns: list[str]) -> Iterator[tuple[pa.Table, Ints]]:
        """Every row that has a time, with it, in the order of the files."""
        for batch in self.files.batches(list(dict.fromkeys([*columns, self.time]))):
            times = _times(self.files, self.time, batch)
            table = pa.Table.from_batches([batch])
            yield table.filter(pa.array(times.known)), times.microseconds[times.known]

    def _batches(self, columns: list[str], wanted: set[int], open_at_once: int) -> Iterator[HistoryBatch]:
        """One reading: windows start in their order, as long as there is room."""
        wanted, opened, row = set(wanted), set[int](), 0
        end = max((self.survey.last[code] for code in wanted), default=-1)
        for batch in self.files.batches(list(dict.fromkeys([*columns, self.time]))):
            times = _times(self.files, self.time, batch)
            codes = np.where(times.known, self.grid.codes(times.microseconds), BEFORE - 1)
            after, ends = row + batch.num_rows, dict[int, bool]()
            for code in _in_order_of_beginning(codes):
                if code in wanted and row <= self.survey.first[code] and len(opened) < open_at_once:
                    opened.add(code)
                if code in opened:
                    ends[code] = self.survey.last[code] < after
                    opened -= {code} if ends[code] else set()
            if ends:
                yield _batch(pa.Table.from_batches([batch]), times.microseconds, codes, ends)
            row = after
            if row > end:
                return


def open_history(files: RowFiles, time: str, grid: WindowGrid) -> History:
    """Survey the times; if rows cannot be cut into a baseline and windows, a sentence says why."""
    survey = TimeSurvey()
    for batch in files.batches([time]):
        survey.add(_times(files, time, batch), grid)
    start = at(grid.start)
    if not survey.rows:
        reason = f"none of its {survey.seen} rows has a time in column {time!r}" if survey.seen else NO_ROWS
        raise UnreadableFileError(path=files.path, reason=reason)
    span = f"the rows are from {at(survey.oldest)} to {at(survey.newest)}"
    if BEFORE not in survey.rows:
        reason = f"no row is older than --baseline-until {start}, so there is no baseline; {span}"
        raise UnreadableFileError(path=files.path, reason=reason)
    windows = grid.complete(survey.newest, survey.resolution)
    if not windows:
        reason = f"no window is complete: the first ends at {grid.bounds(0)[1]}; {span}"
        raise UnreadableFileError(path=files.path, reason=reason)
    if windows > WINDOWS_MAX:
        reason = f"that makes {windows} windows, at most {WINDOWS_MAX} are replayed: choose a longer --window; {span}"
        raise UnreadableFileError(path=files.path, reason=reason)
    return History(files, time, grid, survey, windows)


def _times(files: RowFiles, time: str, batch: pa.RecordBatch) -> RowTimes:
    try:
        times = row_times(batch.column(batch.schema.get_field_index(time)))
    except pa.ArrowInvalid as error:
        raise UnreadableFileError(
            path=files.path, reason=f"column {time!r} holds times out of range: {error}"
        ) from error
    if times.strange.any():
        found = ", ".join(map(repr, times.examples))
        reason = (
            f"column {time!r} holds {found}, which is not a time; write dates or times as 2016-01-31 or "
            "2016-01-31T12:00:00Z, as a timestamp, or as seconds, milli-, micro- or nanoseconds since 1970"
        )
        raise UnreadableFileError(path=files.path, reason=reason)
    return times


def _last_places(codes: Ints, places: Ints) -> dict[int, int]:
    found, back = np.unique(codes[::-1], return_index=True)
    return dict(zip(found.tolist(), places[::-1][back].tolist(), strict=True))


def _in_order_of_beginning(codes: Ints) -> list[int]:
    found, first = np.unique(codes, return_index=True)
    return [int(code) for code in found[np.argsort(first)]]


def _batch(table: pa.Table, microseconds: Ints, codes: Ints, ends: Mapping[int, bool]) -> HistoryBatch:
    """The rows of some windows, in the windows' order, and within a window in their own."""
    rows = [np.flatnonzero(codes == code) for code in ends]
    places = np.concatenate(rows)
    behind = np.cumsum([len(found) for found in rows]).tolist()
    parts = map(slice, [0, *behind], behind)
    stretches = tuple(HistoryStretch(code, part, last) for (code, last), part in zip(ends.items(), parts, strict=True))
    first = int(places[0])
    if (np.diff(places) == 1).all():
        # Rows that stand together, as all do in the order of time, need not be copied.
        together = slice(first, first + len(places))
        return HistoryBatch(table.slice(first, len(places)), microseconds[together], stretches)
    return HistoryBatch(table.take(pa.array(places)), microseconds[places], stretches)
