"""Turn a schedule's tick into one message per deployed model of that cadence, or in each hour per model that has something to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel

from kedge.config.model import ModelConfig
from kedge.instants import to_text
from lambdas.adapters import clients, definitions, queues
from lambdas.adapters.adopted import ADOPTED
from lambdas.adapters.catalogue import load_catalogue
from lambdas.adapters.state import champions, windows
from lambdas.adapters.state.champions import Champion
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.hourly_work import HourlyWork, find_work
from lambdas.steps.requests import CADENCES

# How many windows before the one that is due are judged with it, if an outage has left them unjudged.
MISSED_WINDOWS = 3


Served = tuple[ModelConfig, Champion]


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    profile_queue_url: str
    performance_queue_url: str
    decision_queue_url: str
    settle_queue_url: str
    capture_queue_url: str


class Request(BaseModel, frozen=True):
    """A tick; `time` is the schedule's, not the clock's."""

    step: Literal["profile", "judge", "hour"]
    cadence: Literal["hourly", "daily", "weekly"]
    time: AwareDatetime


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send each deployed model's message to the step's queue."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    catalogue = load_catalogue(settings.data_bucket)
    if catalogue.adopted.fresh:
        definitions.keep_parsed(clients.s3(), settings.data_bucket, ADOPTED, catalogue.adopted.models)
    models = catalogue.models.values()
    if request.step == "hour":
        return send_work(find_work(models, settings.state_table, request.time), request, settings)
    due = [config for config in models if getattr(config.cadence, request.step) == request.cadence]
    deployed = champions.load_many(clients.dynamodb(), settings.state_table, [config.model for config in due])
    served = [(config, champion) for config in due if (champion := deployed.get(config.model))]
    bodies = to_judge(request, served, settings) if request.step == "judge" else to_profile(request, served)
    url = settings.profile_queue_url if request.step == "profile" else settings.performance_queue_url
    queues.send_all(clients.sqs(), url, bodies)
    logger.info("fanned out", step=request.step, cadence=request.cadence, due=len(due), sent=len(bodies))
    return {"due": len(due), "sent": len(bodies)}


def send_work(work: HourlyWork, request: Request, settings: Settings) -> dict[str, Any]:
    """Send each model's message to the queues that have work for it; `hourly` has `settle` pass over what it compared lately."""
    time = to_text(request.time)
    for url, models, more in (
        (settings.settle_queue_url, work.settle, {"hourly": True}),
        (settings.decision_queue_url, work.decide, {}),
        (settings.capture_queue_url, work.look, {}),
    ):
        queues.send_all(clients.sqs(), url, [{"model": model, "time": time, **more} for model in models])
    sent: dict[str, Any] = {"settle": len(work.settle), "decide": len(work.decide), "look": len(work.look)}
    logger.info("fanned out", step=request.step, cadence=request.cadence, **sent)
    return sent


def to_profile(request: Request, served: Sequence[Served]) -> list[dict[str, Any]]:
    """A message for each model, to count what it has answered."""
    return [{"model": config.model, "time": to_text(request.time)} for config, _ in served]


def to_judge(request: Request, served: Sequence[Served], settings: Settings) -> list[dict[str, Any]]:
    """A message for each window that is due, and for each of the last few before it that was never judged.

    Oldest first, and each with the time of its own tick, as its first message had: so alerts come in the order of time.
    """
    windows_of = {config.model: list(windows_due(request, config, champion)) for config, champion in served}
    missed = [(model, end) for model, found in windows_of.items() for _, _, end in found[1:]]
    judged = windows.judged_of(clients.dynamodb(), settings.state_table, missed)
    return [
        {"model": model, "time": to_text(time), "window": {"start": to_text(start), "end": to_text(end)}}
        for model, found in windows_of.items()
        for time, start, end in reversed(found)
        if (model, end) not in judged
    ]


def windows_due(
    request: Request, config: ModelConfig, champion: Champion
) -> Iterator[tuple[datetime, datetime, datetime]]:
    """Time of the tick, start and end of the window to judge and of those before it, newest first.

    A window ends with the last full hour or day of its tick, and never reaches behind the promotion: where the package was
    promoted after that end, there is nothing of it to judge.
    """
    length, cadence = timedelta(days=config.cadence.window_days), CADENCES[request.cadence]
    for back in range(MISSED_WINDOWS + 1):
        time = request.time - back * cadence
        end = last_boundary(time, hourly=request.cadence == "hourly")
        start = max(end - length, champion.promoted_at)
        if start < end:
            yield time, start, end


def last_boundary(time: datetime, *, hourly: bool) -> datetime:
    """The last full hour, or the last midnight, UTC."""
    hour = time.replace(minute=0, second=0, microsecond=0)
    return hour if hourly else hour.replace(hour=0)
