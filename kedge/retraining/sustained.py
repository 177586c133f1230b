"""Whether a loss has lasted: n of the last m windows that share no rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class Spanned(Protocol):
    """Anything that covers a stretch of time."""

    @property
    def start(self) -> datetime:
        """Its first instant."""

    @property
    def end(self) -> datetime:
        """The first instant after it."""


def sustained(windows: Sequence[Spanned], breached: Sequence[bool], *, breaches: int, of_windows: int) -> list[bool]:
    """For each window: whether, at its end, `breaches` of the last `of_windows` windows that do not overlap were breached.

    Parameters
    ----------
    windows : sequence of Spanned
        Ascending by end. A window that shares rows with a later one that counts does not count.
    breached : sequence of bool
        One value for each window.

    >>> from collections import namedtuple
    >>> Window = namedtuple("Window", "start end")
    >>> weeks = [Window(datetime(2016, 1, day), datetime(2016, 1, day + 7)) for day in (1, 8, 15)]
    >>> sustained(weeks, [True, False, True], breaches=2, of_windows=3)
    [False, False, True]
    """
    return [
        sum(breached[place] for place in _independent(windows, last, of_windows)) >= breaches
        for last in range(len(windows))
    ]


def _independent(windows: Sequence[Spanned], last: int, most: int) -> list[int]:
    """Places of the last windows up to `last` that share no rows, the newest first."""
    found = [last]
    for place in range(last - 1, -1, -1):
        if len(found) == most:
            break
        if windows[place].end <= windows[found[-1]].start:
            found.append(place)
    return found[:most]
