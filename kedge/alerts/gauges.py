"""When people hear of what slowly goes wrong: a package that nobody decides about, labels that stay away, retrainings that fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

# Days after which people are reminded of a package that waits; each distance is about twice the one before.
REMINDERS = (2, 5, 12, 26, 54)
# A feed of labels is dead after twice its longest pause, but not before this: files come in batches, and weekends pass.
SILENCE_MIN = timedelta(days=2)
# How far back the pauses of a feed are looked at.
LOOK_BACK = timedelta(days=60)
FAILED_IN_A_ROW = 3


def reminder_of(waited: timedelta) -> int | None:
    """The newest reminder that is due for a package that has waited so long, in days; None before the first.

    >>> [reminder_of(timedelta(days=days)) for days in (1, 2, 4, 13, 400)]
    [None, 2, 2, 12, 54]
    """
    return max((days for days in REMINDERS if waited >= timedelta(days=days)), default=None)


def longest_pause(collected: Sequence[datetime]) -> timedelta | None:
    """The longest time between two label files that follow each other; None where fewer than three hours have any.

    >>> from datetime import UTC
    >>> longest_pause([datetime(2016, 1, day, tzinfo=UTC) for day in (1, 2, 5, 6)]).days
    3
    """
    hours = sorted({*collected})
    pauses = [after - before for before, after in pairwise(hours)]
    return max(pauses) if len(pauses) > 1 else None


def is_silent(collected: Sequence[datetime], now: datetime) -> bool:
    """Whether no label has come for twice as long as was usual.

    >>> from datetime import UTC
    >>> days = [datetime(2016, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    >>> is_silent(days, datetime(2016, 1, 4, 12, tzinfo=UTC)), is_silent(days, datetime(2016, 1, 5, 1, tzinfo=UTC))
    (False, True)
    """
    pause = longest_pause(collected)
    return pause is not None and now - max(collected) > max(2 * pause, SILENCE_MIN)


def failing_in_a_row(failed: Sequence[bool]) -> bool:
    """Whether the newest retrainings all failed; `failed` is in their order, the oldest first.

    >>> failing_in_a_row([False, True, True, True]), failing_in_a_row([True, True])
    (True, False)
    """
    return len(failed) >= FAILED_IN_A_ROW and all(failed[-FAILED_IN_A_ROW:])
