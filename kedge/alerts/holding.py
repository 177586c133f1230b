"""When a message waits: the model is muted, or its people have quiet hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kedge.config.policies import QuietHours
from kedge.severity import Severity

Hold = Literal["mute", "quiet"]
SATURDAY = 5


@dataclass(frozen=True)
class Mute:
    """A person's wish to hear nothing of a model until a time, and why."""

    until: datetime
    reason: str
    by: str


def is_muted(mute: Mute | None, now: datetime) -> bool:
    """Whether a mute is there and has not ended."""
    return mute is not None and now < mute.until


def is_quiet(hours: QuietHours | None, now: datetime) -> bool:
    """Whether it is quiet now; the hours may go over midnight.

    >>> night = QuietHours(start=20, end=6)
    >>> [is_quiet(night, datetime(2016, 1, 4, hour)) for hour in (5, 6, 19, 20)]
    [True, False, False, True]
    """
    if hours is None:
        return False
    if hours.weekends and now.weekday() >= SATURDAY:
        return True
    since_start, lasts = (now.hour - hours.start) % 24, (hours.end - hours.start) % 24
    return since_start < lasts


def hours_in_words(hours: QuietHours | None) -> str:
    """When it is quiet.

    >>> hours_in_words(QuietHours(start=20, end=6, weekends=True))
    '20:00 to 06:00 UTC and weekends'
    """
    if hours is None:
        return "never"
    return f"{hours.start:02}:00 to {hours.end:02}:00 UTC" + (" and weekends" if hours.weekends else "")


def hold_of(mute: Mute | None, hours: QuietHours | None, severity: Severity, now: datetime) -> Hold | None:
    """Why a message waits; None if it goes out. A mute holds everything, quiet hours all but what is CRITICAL."""
    if is_muted(mute, now):
        return "mute"
    return "quiet" if severity is not Severity.CRITICAL and is_quiet(hours, now) else None
