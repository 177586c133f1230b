"""Turn a schedule's tick into one message per deployed model of that cadence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel

from kedge.config.model import ModelConfig
from lambdas.adapters import clients, queues
from lambdas.adapters.models import load_models
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.times import to_text
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    state_table: str
    profile_queue_url: str
    performance_queue_url: str


class Request(BaseModel, frozen=True):
    """A tick; `time` is the schedule's, not the clock's."""

    step: Literal["profile", "judge"]
    cadence: Literal["hourly", "daily", "weekly"]
    time: AwareDatetime


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send each deployed model's message to the step's queue."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    due = [config for config in load_models().values() if getattr(config.cadence, request.step) == request.cadence]
    deployed = champions.load_many(clients.dynamodb(), settings.state_table, [config.model for config in due])
    bodies = [
        {"model": config.model, "time": to_text(request.time), **window}
        for config in due
        if (champion := deployed.get(config.model)) and (window := window_of(request, config, champion)) is not None
    ]
    url = settings.profile_queue_url if request.step == "profile" else settings.performance_queue_url
    queues.send_all(clients.sqs(), url, bodies)
    logger.info("fanned out", step=request.step, cadence=request.cadence, due=len(due), sent=len(bodies))
    return {"due": len(due), "sent": len(bodies)}


def window_of(request: Request, config: ModelConfig, champion: Champion) -> dict[str, Any] | None:
    """The window to judge: it ends with the last full hour or day, and never reaches behind the promotion.

    None where the package was promoted after that end: there is nothing of it to judge yet.
    """
    if request.step == "profile":
        return {}
    end = last_boundary(request.time, hourly=request.cadence == "hourly")
    start = max(end - timedelta(days=config.cadence.window_days), champion.promoted_at)
    return {"window": {"start": to_text(start), "end": to_text(end)}} if start < end else None


def last_boundary(time: datetime, *, hourly: bool) -> datetime:
    """The last full hour, or the last midnight, UTC."""
    hour = time.replace(minute=0, second=0, microsecond=0)
    return hour if hourly else hour.replace(hour=0)
