"""What the stages hand each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from kedge.errors import KedgeError

# How often a cadence judges.
CADENCES = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}

# The answer to an empty event, which no part of Kedge's sends but `kedge doctor`: the runtime has imported the package and its
# layers by then. It comes before anything is read or written, and counts as no error, so that no alarm tells anyone.
IMPORTED = {"imported": True}


def receives(event: Mapping[str, Any]) -> int:
    """How often the message has been handed over, this time included."""
    (record,) = event["Records"]
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


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
        """Read the one message that the event source mapping hands over."""
        (record,) = event["Records"]
        return cls.model_validate(json.loads(record["body"]))


class ProfileRequest(StageRequest):
    """Count what was captured; `since` reaches further back than the days that are behind, `round` numbers what goes on."""

    since: date | None = None
    round: int = 0


class JudgeRequest(StageRequest):
    """Judge one window; `performance_key` is the performance report, `joined_prefix` Athena's join, once there is one.

    `not_measured` says why there is no performance report yet, where it is not the window's own fault.
    """

    window: Window
    joined_prefix: str | None = None
    not_measured: str | None = None
    performance_key: str | None = None
    new_labelled_rows: int = 0


class JoinRequest(JudgeRequest):
    """Join the answers of `[start, window.end)`, these columns of them, with their labels."""

    start: AwareDatetime
    columns: tuple[str, ...]

    def answered(self, joined_prefix: str) -> JudgeRequest:
        """What goes on: the window, to be measured on what was joined."""
        return JudgeRequest(model=self.model, time=self.time, window=self.window, joined_prefix=joined_prefix)

    def unmeasured(self, why: str) -> JudgeRequest:
        """What goes on without: the window, to be judged for drift alone."""
        return JudgeRequest(model=self.model, time=self.time, window=self.window, not_measured=why)
