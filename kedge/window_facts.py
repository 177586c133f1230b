"""What is known of a window beside its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class WindowFacts:
    """What is known of a window beside its columns.

    Attributes
    ----------
    end : datetime
        The window's end; its last row should be near.
    cadence : timedelta
        How often it is judged: the stretch of the window that is new.
    rows_by_hour : sequence of int
        Rows of each hour of the window, the last one before `end`.
    earlier_weeks : sequence of sequence of int
        Rows of the same hours as the new stretch one week earlier, two weeks earlier, and so on.
    records, quarantined, duplicates : int
        Records that were captured, those of them that nobody can read, and rows whose id had been counted before.
    requests, invocations : int, optional
        Of the new stretch: requests that were captured, and those that the endpoint answered; None where not known.
    """

    end: datetime
    cadence: timedelta
    rows_by_hour: Sequence[int]
    earlier_weeks: Sequence[Sequence[int]] = ()
    records: int = 0
    quarantined: int = 0
    duplicates: int = 0
    requests: int | None = None
    invocations: int | None = None

    @property
    def stretch(self) -> Sequence[int]:
        """Rows of each hour that is new since the last judgement; empty where the window does not reach so far back."""
        return newest_stretch(self.rows_by_hour, self.cadence)


def newest_stretch(rows_by_hour: Sequence[int], cadence: timedelta) -> Sequence[int]:
    """The last hours of a window that are new since the last judgement; empty where the window is shorter.

    >>> newest_stretch([4, 5, 6], timedelta(hours=2))
    [5, 6]
    """
    hours = max(int(cadence / HOUR), 1)
    return rows_by_hour[-hours:] if len(rows_by_hour) >= hours else []


def by_hour(counts: Mapping[date, Mapping[int, int]], start: datetime, end: datetime) -> list[int]:
    """Counts of each whole hour of `[start, end)`, 0 where a day or an hour has none.

    Parameters
    ----------
    counts : mapping of date to mapping of int to int
        Of each UTC day, by hour.

    >>> by_hour({date(2016, 1, 4): {0: 7, 2: 9}}, datetime(2016, 1, 3, 23, 30), datetime(2016, 1, 4, 3))
    [7, 0, 9]
    """
    first = start.replace(minute=0, second=0, microsecond=0)
    first += HOUR if first < start else timedelta(0)
    hours = (first + n * HOUR for n in range(max((end - first) // HOUR, 0)))
    return [counts.get(hour.date(), {}).get(hour.hour, 0) for hour in hours]


def in_words(cadence: timedelta) -> str:
    """The new stretch as people call it.

    >>> in_words(timedelta(days=7))
    'week'
    """
    hours = int(cadence / HOUR)
    return {1: "hour", 24: "day", 168: "week"}.get(hours, f"{hours} hours")
