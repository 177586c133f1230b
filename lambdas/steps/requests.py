"""What the stages hand each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from kedge.errors import KedgeError

# How often a cadence judges.
CADENCES = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}

# How long after a window's end its schedule judges it (stacks/monitoring.py): captures come minutes late.
JUDGED_AFTER = {"hourly": timedelta(minutes=40), "daily": timedelta(hours=2), "weekly": timedelta(hours=2)}


def newest_ends(cadence: str, now: datetime) -> tuple[datetime, ...]:
    """The last three ends of windows that a cadence's schedule may have had judged by now, newest first.

    >>> [f"{end:%d %H}" for end in newest_ends("weekly", datetime(2026, 11, 25, 12))]
    ['23 00', '16 00', '09 00']
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    newest = {"hourly": hour, "daily": day, "weekly": day - timedelta(days=day.weekday())}[cadence]
    return tuple(newest - back * CADENCES[cadence] for back in range(3))


# The answer to an empty event, which no part of Kedge's sends but `kedge doctor`: the runtime has imported the package and its
# layers by then. It comes before anything is read or written, and counts as no error, so that no alarm tells anyone.
IMPORTED = {"imported": True}


def is_direct(event: Mapping[str, Any]) -> bool:
    """Whether a person calls the function, and waits for its answer: no queue hands over a message, and none gets the next."""
    return "Records" not in event


def receives(event: Mapping[str, Any]) -> int:
    """How often the message has been handed over, this time included."""
    if is_direct(event):
        return 1
    (record,) = event["Records"]
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def message_id(event: Mapping[str, Any]) -> str | None:
    """The message's own name, the same each time that it is handed over; None where a person calls."""
    if is_direct(event):
        return None
    (record,) = event["Records"]
    return str(record["messageId"])


def failure(error: Exception) -> str:
    """An error as a report may show it: Kedge's own errors are sentences, others may hold anything."""
    return str(error) if isinstance(error, KedgeError) else type(error).__name__


class Window(BaseModel, frozen=True):
    """The half-open slice `[start, end)`."""

    start: AwareDatetime
    end: AwareDatetime


class StageRequest(BaseModel):
    """A message of a stage's queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    time: AwareDatetime

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read the one message that the event source mapping hands over, or the payload of a person's call."""
        if is_direct(event):
            return cls.model_validate(event)
        (record,) = event["Records"]
        return cls.model_validate(json.loads(record["body"]))


class Stopped(BaseModel):
    """Where a run stopped: at a day of a package, and behind which key of its captures, if its listing was cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    package: str
    after: str = ""


class ProfileRequest(StageRequest):
    """Count what was captured; `since` reaches further back than the days that are behind, `round` numbers what goes on.

    What goes on begins where the run before it `stopped`.

    With `until` the days from `since` to it are counted and no others, of `package` alone if it is named.
    """

    since: date | None = None
    round: int = 0
    stopped: Stopped | None = None
    until: date | None = None
    package: str | None = None


class JudgeRequest(StageRequest):
    """Judge one window; `performance_key` is the performance report, `joined_prefix` Athena's join and counts, once there are any.

    `remembered_days` is the label horizon that they believed where their own rows teach none.

    `not_measured` says why there is no performance report yet, where it is not the window's own fault.

    A past window names the `package` that served then and when it was promoted; else it is the champion's. With `tell` false the
    report is written and nothing else: no state, no timeline, no mail, no decision.
    """

    window: Window
    joined_prefix: str | None = None
    remembered_days: float | None = None
    not_measured: str | None = None
    performance_key: str | None = None
    new_labelled_rows: int = 0
    package: str | None = None
    promoted_at: AwareDatetime | None = None
    tell: bool | None = None

    @property
    def is_aside(self) -> bool:
        """Whether only the report is wanted."""
        return self.tell is False

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read the message. A person's call sends no messages, unless it says so."""
        return super().from_event({"tell": False, **event} if is_direct(event) else event)


class JoinRequest(JudgeRequest):
    """Join the answers of `[start, window.end)` with their labels, and count them."""

    start: AwareDatetime
    # Messages of before Athena counted name the columns to join; those that wait while Kedge is updated are joined as they are now.
    columns: tuple[str, ...] = Field(default=(), exclude=True)

    def answered(self, joined_prefix: str) -> JudgeRequest:
        """What goes on: the window, to be measured on what was counted."""
        return self._judged(joined_prefix=joined_prefix, remembered_days=self.remembered_days)

    def unmeasured(self, why: str) -> JudgeRequest:
        """What goes on without: the window, to be judged for drift alone."""
        return self._judged(not_measured=why)

    def _judged(self, **news: Any) -> JudgeRequest:
        kept = ("model", "time", "window", "package", "promoted_at", "tell")
        return JudgeRequest(**{name: getattr(self, name) for name in kept} | news)
