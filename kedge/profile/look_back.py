"""Which days a run looks at: those that can still gain captures, and behind them those that no run has completed yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

# Capture has no promise about lateness: a day is looked at until the second day after it is over.
LATE_DAYS = 2
# A backlog is followed this far back.
BACKLOG_DAYS = 30


@dataclass(frozen=True)
class LookBack:
    """The days from `first` to `today`, both included; those from `leaving` to `first` are in no later run's view.

    Attributes
    ----------
    leaving : date or None
        None where every day that may hold something uncounted stays in view.
    late_days : int
        How long a day can still gain after it is over.
    """

    first: date
    today: date
    leaving: date | None = None
    late_days: int = LATE_DAYS

    @property
    def days(self) -> Iterator[date]:
        """Newest first: an old day that cannot be counted keeps no newer one waiting."""
        return (self.today - timedelta(days=back) for back in range((self.today - self.first).days + 1))

    @property
    def leaving_days(self) -> list[date]:
        """The days that this run is the last to look at, or that no run looks at any more."""
        if self.leaving is None:
            return []
        return [self.leaving + timedelta(days=n) for n in range((self.first - self.leaving).days + 1)]

    def is_behind(self, day: date) -> bool:
        """Whether a day would have been left by now, had all runs completed."""
        return day < self.today - timedelta(days=self.late_days)

    @property
    def has_backlog(self) -> bool:
        """Whether it reaches further back than the days that can still gain."""
        return self.is_behind(self.first)


def look_back(
    today: date,
    *,
    completed: date | None,
    begun: date | None = None,
    since: date | None = None,
    late_days: int = LATE_DAYS,
) -> LookBack:
    """What a run looks at.

    Parameters
    ----------
    completed : date, optional
        Day of the last run that left nothing uncounted.
    begun : date, optional
        Where there was none: the day on which the model began to answer.
    since : date, optional
        How far a person wants it to reach, however far that is.
    late_days : int
        How long a day can still gain after it is over.

    >>> def view(*seen):
    ...     found = look_back(date(2016, 3, 31), completed=date(2016, *seen))
    ...     return str(found.first), len(found.leaving_days)
    >>> view(3, 31), view(3, 20), view(3, 2)
    (('2016-03-29', 0), ('2016-03-18', 0), ('2016-03-01', 2))
    """
    late, bound = timedelta(days=late_days), today - timedelta(days=BACKLOG_DAYS)
    if since is not None:
        return LookBack(min(since, today - late), today, None, late_days)
    behind = min(today, completed or begun or today) - late
    if behind > bound:
        return LookBack(behind, today, None, late_days)
    return LookBack(bound, today, behind if completed else bound, late_days)
