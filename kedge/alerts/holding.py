"""When a message waits: the model is muted, or its people have quiet hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kedge.config.policies import QuietHours
from kedge.severity import Severity

Hold = Literal["mute", "quiet"]


@dataclass(frozen=True)
class Mute:
    """A person's wish to hear nothing of a model until a time, and why."""

    until: datetime
    reason: str
    by: str


def is_muted(mute: Mute | None, now: datetime) -> bool:
    """Whether a mute is there and has not ended."""
    return mute is not None and now < mute.until


def hold_of(mute: Mute | None, hours: QuietHours | None, severity: Severity, now: datetime) -> Hold | None:
    """Why a message waits; None if it goes out. A mute holds everything, quiet hours all but what is CRITICAL."""
    if is_muted(mute, now):
        return "mute"
    return "quiet" if severity is not Severity.CRITICAL and hours and hours.include(now) else None
