"""Write what a machine did into the timeline, and tell people where they should know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel

from kedge.alerts.alarm_news import alarm_news
from kedge.instants import to_text
from lambdas.adapters import clients
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.models import find_deployed, load_models
from lambdas.adapters.release import approval_requests
from lambdas.adapters.state import windows
from lambdas.adapters.telling import desk_of, record_and_tell, send_test
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.gate.cost import cost_of_failed

# Steps of a machine that goes well: in the timeline, but no reason to write a mail.
QUIET = frozenset({"training_completed"})
# compare_models, which decided this, has written it into the timeline already.
ENTERED = frozenset({"gate_passed", "gate_failed"})


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    alert_topic_arn: str
    event_topic_arn: str


class RollbackAsked(BaseModel, frozen=True):
    """The part of the execution's input that people are told with each message: a roll-back's, from where to where and why."""

    rollback: dict[str, str] | None = None


class Request(BaseModel, frozen=True):
    """Something that happened: in an execution that a `request` started, or an alarm that changed its state."""

    model: str
    kind: str
    time: AwareDatetime
    detail: dict[str, Any] = {}
    request: RollbackAsked = RollbackAsked()
    # A person's act: it is written down already, and pagers alone wait for it.
    acted: bool = False

    @classmethod
    def from_event(cls, event: Mapping[str, Any], bucket: str) -> Self | None:
        """Read a machine's request or EventBridge's news of an alarm; None for an alarm that needs no message."""
        if "detail-type" not in event:
            return cls.model_validate(event)
        news = alarm_news(event["detail"], load_models(bucket))
        return None if news is None else cls(kind="alarm", time=news.time, model=news.model, detail=news.detail)

    def told(self, bucket: str) -> dict[str, Any]:
        """What the timeline and people get."""
        found = self.detail | ({"rollback": self.request.rollback} if self.request.rollback else {})
        if self.kind == "failed":
            machine, run = (str(self.detail.get(name, "")) for name in ("machine", "run"))
            found |= cost_of_failed(machine, run, find_deployed(self.model, bucket))
        return found

    @property
    def told_as(self) -> str | None:
        """Name under which `settle` looks for it, and tells it where it is missing; None for what it does not look for."""
        if self.kind == "failed" and "run" in self.detail:
            return f"failed#{self.detail['run']}"
        if self.kind == "package_registered" and "package_arn" in self.detail:
            return approval_requests.told_as(self.detail["package_arn"])
        return None


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Record the entry where nobody has yet, then send it."""
    settings = Settings.from_environment()
    request = Request.from_event(event, settings.data_bucket)
    if request is None:
        return {"kind": None}
    entry = Entry(request.model, request.kind, request.time, request.told(settings.data_bucket))
    if request.kind == "test_alert":
        return {"kind": request.kind, **send_test(desk_of(settings), entry, request.detail.get("channel"))}
    if request.kind in QUIET:
        timeline.record(clients.s3(), settings.data_bucket, entry)
    else:
        what = request.told_as

        def remember() -> None:
            if what is not None:
                windows.remember_told(clients.dynamodb(), settings.state_table, request.model, what, now=request.time)

        record_and_tell(
            desk_of(settings),
            entry,
            entered=request.acted or request.kind in ENTERED,
            name=what,
            when_kept=remember,
            audience=("programs",) if request.acted else None,
        )
    logger.info("told", model=request.model, kind=request.kind)
    return {"kind": request.kind, "time": to_text(request.time)}
