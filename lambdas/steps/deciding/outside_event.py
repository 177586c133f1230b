"""An event `kedge.retrain` that another program has put on the event bus: read strictly, refused in words, or kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, field_validator

from kedge.errors import RetrainEventError, WatchedModelError
from kedge.retraining.state import OutsideRequest
from lambdas import stage
from lambdas.adapters import clients, models
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import find_model
from lambdas.adapters.state import champions, windows, wishes
from lambdas.adapters.telling import Desk, tell_once
from lambdas.logs import logger

DETAIL_TYPE = "kedge.retrain"


class EventDetail(BaseModel, frozen=True, extra="forbid"):
    """Which model, and why: the timeline and the mails repeat the reason."""

    model: Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}$")]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class OutsideEvent(BaseModel, frozen=True):
    """The event as EventBridge hands it over; what else stands there is EventBridge's."""

    id: str
    source: str
    detail_type: str = Field(alias="detail-type")
    detail: EventDetail

    @field_validator("detail_type")
    @classmethod
    def _of_this_stage(cls, found: str) -> str:
        wanted = stage.current().named(DETAIL_TYPE)
        if found != wanted:
            raise ValueError(f"must be {wanted}")
        return found


def is_outside(body: Mapping[str, Any]) -> bool:
    """Whether a message of the queue is an event."""
    return "detail-type" in body


def read_event(body: Mapping[str, Any]) -> OutsideEvent:
    """Read the event.

    Raises
    ------
    RetrainEventError
        It says not, or not well, which model and why; it cannot be told to the owners of a model.
    """
    try:
        return OutsideEvent.model_validate(body)
    except ValidationError as error:
        # Never the values: anybody may have put anything there.
        problems = sorted({".".join(map(str, fault["loc"])) + ": " + fault["msg"] for fault in error.errors()})
        raise RetrainEventError(event=str(body.get("id", "without an id")), problems=problems) from None


def accept(event: OutsideEvent, desk: Desk, arrived: datetime) -> bool:
    """Keep the wish, so that it starts once nothing holds it; False where it is refused, which is told with its reason.

    EventBridge may deliver an event twice: the second is no new wish.
    """
    model, dynamodb = event.detail.model, clients.dynamodb()
    why = refusal(model, desk)
    if why is None:
        if not windows.is_told(dynamodb, desk.table, model, f"event#{event.id}"):
            wish = OutsideRequest(arrived, event.source, event.detail.reason)
            wishes.save_request(dynamodb, desk.table, model, wish)
            windows.remember_told(dynamodb, desk.table, model, f"event#{event.id}", now=arrived)
        return True
    detail = {"source": event.source, "requested": event.detail.reason, "reasons": [why]}
    logger.warning("an event was refused", model=model, event=event.id, source=event.source)
    tell_once(desk, f"refused#{event.id}", Entry(model, "retrain_event_refused", arrived, detail))
    return False


def refusal(model: str, desk: Desk) -> str | None:
    """Why the model is not retrained, and what to do; None where it may be."""
    config = find_model(model, desk.bucket)
    if config is None:
        known = ", ".join(sorted(models.names(desk.bucket))) or "none"
        return f"no model is named {model}; deployed models are: {known}. Correct detail.model of the event"
    if config.mode == "watch":
        return str(WatchedModelError(model=model))
    if not config.retraining.on_event:
        return (
            "retraining.on_event is false in the model's YAML: set it to true and deploy, or ask with `kedge retrain`"
        )
    paused = windows.pause_reason(clients.dynamodb(), desk.table, model)
    if paused is not None or config.retraining.paused:
        return f"retraining is paused: {paused or 'in the YAML'}. End the pause, then send the event again"
    if champions.load(clients.dynamodb(), desk.table, model) is None:
        return f"no package of {model} serves yet: start the first training with `kedge retrain {model} --initial`"
    return None
