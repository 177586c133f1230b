"""Write what a machine did into the timeline, and tell people where they should know."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel

from lambdas.adapters import alerts, audit, clients
from lambdas.adapters.alerts import Topics
from lambdas.adapters.times import to_text
from lambdas.handlers.entry import entry
from lambdas.handlers.logs import logger
from lambdas.settings import Settings as Environment

# Steps of a machine that goes well: in the timeline, but no reason to write a mail.
QUIET = frozenset({"training_completed"})
# The step that decided this has written it into the timeline already: compare_models, switch_baseline, start_release.
ENTERED = frozenset({"gate_passed", "gate_failed", "canary_promoted", "baseline_switched", "approved"})


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    alert_topic_arn: str
    event_topic_arn: str


class Request(BaseModel, frozen=True):
    """Something that happened."""

    model: str
    kind: str
    time: AwareDatetime
    detail: dict[str, Any] = {}


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Record the entry where nobody has yet, then send it."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    if request.kind not in ENTERED:
        audit.record(
            clients.s3(),
            settings.data_bucket,
            model=request.model,
            kind=request.kind,
            time=request.time,
            detail=request.detail,
        )
    logger.info("told", model=request.model, kind=request.kind)
    if request.kind not in QUIET:
        topics = Topics(settings.alert_topic_arn, settings.event_topic_arn)
        alerts.publish(
            clients.sns(), topics, model=request.model, kind=request.kind, time=request.time, detail=request.detail
        )
    return {"kind": request.kind, "time": to_text(request.time)}
