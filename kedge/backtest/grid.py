"""Windows that follow each other without overlap, and the windows that the rows fill."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from kedge.arrays import Ints
from kedge.columns.times import at

# The last window is judged if rows cover this fraction of it: the newest row is seldom at its very end.
COVERED_MIN = 0.95
BEFORE = -1
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d|w)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True)
class WindowGrid:
    """Half-open windows `[start, start + length)`, `[start + length, ...)` and so on, in microseconds since 1970 (UTC)."""

    start: int
    length: int

    def codes(self, microseconds: Ints) -> Ints:
        """The number of each time's window, from 0; `BEFORE` for all times before the first.

        >>> WindowGrid(100, 10).codes(np.array([3, 99, 100, 109, 110])).tolist()
        [-1, -1, 0, 0, 1]
        """
        return np.maximum((microseconds - self.start) // self.length, BEFORE)

    def blocks(self, microseconds: Ints, blocks: int) -> Ints:
        """The number, from 0, of the stretch (of `blocks` equal stretches of its window) in which each time lies.

        >>> WindowGrid(100, 10).blocks(np.array([100, 104, 109, 110]), 5).tolist()
        [0, 2, 4, 0]
        """
        # In floats: microseconds times blocks may be beyond an int64.
        share = ((microseconds - self.start) % self.length) / self.length
        return np.minimum((share * blocks).astype(np.int64), blocks - 1)

    def bounds(self, code: int) -> tuple[datetime, datetime]:
        """Start and end of a window.

        >>> [time.day for time in WindowGrid(0, 86_400_000_000).bounds(1)]
        [2, 3]
        """
        start = self.start + code * self.length
        return at(start), at(start + self.length)

    def complete(self, newest: int, resolution: int) -> int:
        """How many windows the rows fill, if the newest row has this time.

        A row covers as much time as the times' resolution: one dated 31 January covers that whole day. The last
        window counts once at least 95 % of it is covered.

        Parameters
        ----------
        resolution : int
            Every row's time is a multiple of this many microseconds.

        >>> grid = WindowGrid(0, 1000)
        >>> grid.complete(1999, 1), grid.complete(1960, 1), grid.complete(1940, 1), grid.complete(1900, 100)
        (2, 2, 1, 2)
        """
        covered = newest + min(resolution, self.length) - self.start
        return int(max(0, (covered + (1 - COVERED_MIN) * self.length) // self.length))


def window_length(text: str) -> timedelta | None:
    """A length as people write it: 28d, 12h, 1w or 30min; None if it is not one of these, or has no length.

    >>> window_length("1.5d"), window_length("0h"), window_length("1 month")
    (datetime.timedelta(days=1, seconds=43200), None, None)
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    try:
        length = float(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    except OverflowError:
        return None
    return length or None
