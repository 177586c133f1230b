"""Start a retraining, or hold it with its reason, from the state as it is now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from kedge.alerts.urgency import nearest_limit
from kedge.config.model import ModelConfig
from kedge.errors import LeaseHeldError
from kedge.instants import to_text
from kedge.retraining.decision import decide_retraining, held_if_watched, requested_retraining, run_name
from kedge.retraining.line import loss_a_day
from kedge.retraining.state import Held, RetrainingDecision, RetrainingStart, RetrainingState
from lambdas import stage
from lambdas.adapters import clients, executions, telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state import champions, leases, windows, wishes
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.state.windows import StoredWindow
from lambdas.adapters.state.wishes import HeldRetraining
from lambdas.adapters.telling import desk_of
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.deciding.outside_event import accept, is_outside, read_event
from lambdas.steps.deciding.places import StartPlaces
from lambdas.steps.requests import StageRequest


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    retrain_machine_arn: str
    alert_topic_arn: str
    event_topic_arn: str
    retrainings_at_once: int = 0


class Request(BaseModel):
    """A model to decide about; `trigger` is set where a person asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    time: AwareDatetime
    trigger: Literal["manual", "initial"] | None = None
    reason: str = "asked for"


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Decide, then start or hold."""
    settings = Settings.from_environment()
    request = request_of(event, settings)
    if request is None:
        return {"action": "REFUSED"}
    config = load_model(request.model, settings.data_bucket)
    gathered = gather(request, settings)
    decision = decide(request, gathered, config)
    decision = held_if_watched(decision, model=request.model, mode=config.mode)
    losing = loss_of(gathered, config)
    if decision.action == "START":
        decision = start(decision, Candidate(request, config, gathered, losing), settings)
    if decision.action == "HOLD":
        tell_once(f"hold#{decision.episode}#{decision.hold}", "retraining_held", facts(decision), request, settings)
    if request.trigger is None:
        keep_place(decision, losing, request, settings)
    logger.info("decided", model=request.model, action=decision.action, kind=decision.kind, hold=decision.hold)
    run = {"run": run_of(decision, request)} if decision.action == "START" else {}
    return {"action": decision.action, **run, **facts(decision)}


def request_of(event: Mapping[str, Any], settings: Settings) -> Request | None:
    """A person's call, or the queue's message: of the judge, of the hourly tick, or an event of another program.

    None where the event is refused.
    """
    if "Records" not in event:
        return Request.model_validate(event)
    (record,) = event["Records"]
    body = json.loads(record["body"])
    if is_outside(body):
        wish = read_event(body)
        # The event's own time is whatever its sender says, and a time long ago would know of no start since: the queue's counts.
        arrived = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) // 1000, UTC)
        accepted = accept(wish, desk_of(settings), arrived)
        return Request(model=wish.detail.model, time=arrived) if accepted else None
    return Request.model_validate(StageRequest.from_event(event).model_dump(mode="json"))


@dataclass(frozen=True)
class Knowledge:
    """What is known of the model: the package that serves, its windows, and the state that the decision rests on."""

    champion: Champion | None
    judged: tuple[StoredWindow, ...] = ()
    state: RetrainingState | None = None


@dataclass(frozen=True)
class Candidate:
    """A retraining that may start, with what its model loses in a day."""

    request: Request
    config: ModelConfig
    gathered: Knowledge
    losing: float


def gather(request: Request, settings: Settings) -> Knowledge:
    """Gather the state; a person's request needs only the windows."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    champion = champions.load(dynamodb, table, request.model)
    if champion is None:
        return Knowledge(None)
    found = windows.load_windows(dynamodb, table, request.model, since=champion.promoted_at)
    judged = tuple(window for window in found if window.package_version == champion.package_version)
    if request.trigger is not None:
        return Knowledge(champion, judged)
    state = RetrainingState(
        windows=tuple(window.verdict for window in judged),
        starts=load_starts(request, settings),
        champion_since=champion.promoted_at,
        new_labelled_rows=judged[-1].new_labelled_rows if judged else 0,
        paused=windows.pause_reason(dynamodb, table, request.model),
        request=wishes.load_request(dynamodb, table, request.model),
    )
    return Knowledge(champion, judged, state)


def decide(request: Request, gathered: Knowledge, config: ModelConfig) -> RetrainingDecision:
    """Decide from the state; a person's request needs none."""
    if request.trigger is not None:
        return requested_retraining(request.trigger, request.reason, request.time)
    if gathered.state is None:
        return RetrainingDecision("NONE", (f"{request.model} is not deployed",))
    return decide_retraining(gathered.state, config.retraining, request.time, config.performance)


def loss_of(gathered: Knowledge, config: ModelConfig) -> float:
    """What the model loses in a day, by what the labels said last and the newest traffic that is known."""
    if not gathered.judged:
        return 0.0
    quality = nearest_limit(gathered.judged[-1].live)
    hours = next((window.rows_by_hour for window in reversed(gathered.judged) if window.rows_by_hour), ())
    rows_a_day = 24 * sum(hours) / len(hours) if hours else 0.0
    return loss_a_day(quality.loss if quality else 0.0, rows_a_day, config.retraining.cost_per_row)


def keep_place(decision: RetrainingDecision, losing: float, request: Request, settings: Settings) -> None:
    """Remember what is held, so that each hour decides it again, and others see who waits before them."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    if decision.action == "HOLD":
        wishes.save_held(dynamodb, table, request.model, HeldRetraining(str(decision.hold), losing))
    else:
        wishes.forget_held(dynamodb, table, request.model)


def load_starts(request: Request, settings: Settings) -> tuple[RetrainingStart, ...]:
    """Retrainings before this message, each with how it ended; the message's own start must not hold its rerun."""
    found = windows.load_starts(clients.dynamodb(), settings.state_table, request.model)
    return tuple(
        replace(
            start,
            failed=request.time - start.time < executions.REMEMBERED
            and status_of(run, settings) in executions.ENDED_BADLY,
        )
        for run, start in found.items()
        if start.time < request.time
    )


def start(decision: RetrainingDecision, candidate: Candidate, settings: Settings) -> RetrainingDecision:
    """Start the execution that the cause names: RUNNING or SUCCEEDED is done, a failed one takes the next attempt."""
    request, most = candidate.request, candidate.config.retraining.attempts_maximum
    for attempt in range(decision.attempt, most + 1):
        tried = replace(decision, attempt=attempt)
        status = status_of(run_of(tried, request), settings)
        if status in executions.ENDED_BADLY:
            continue
        held = begin(tried, candidate, settings) if status is None else None
        if held is not None:
            # Decided again within the hour: nothing is lost by not waiting here.
            return tried.held(held)
        note_start(tried, candidate, settings)
        return tried
    failed = f"{most} executions failed; a person must find out why"
    return decision.held(Held("attempts", failed, f"a person's request: kedge retrain {request.model}"))


def begin(decision: RetrainingDecision, candidate: Candidate, settings: Settings) -> Held | None:
    """Take a place and the lease for the execution, then start it; or say what holds it."""
    request, run = candidate.request, run_of(decision, candidate.request)
    holder = executions.execution_arn(settings.retrain_machine_arn, run)
    places = places_of(request, settings)
    held = places.take(request.model, candidate.losing, holder) if places else None
    if held is not None:
        return held
    try:
        leases.take(
            clients.dynamodb(),
            clients.stepfunctions(),
            settings.state_table,
            request.model,
            Lease(holder, wall_clock(), "retraining"),
        )
    except LeaseHeldError as error:
        if places:
            places.give_back(holder)
        return Held("lease", str(error), "the end of that execution")
    trigger = {"kind": decision.kind, "episode": decision.episode, "reasons": list(decision.reasons)}
    trigger |= {"triggers": list(decision.triggers)} | live_values(candidate.gathered)
    body = {"model": request.model, "run": run, "time": to_text(request.time), "trigger": trigger}
    executions.start(clients.stepfunctions(), settings.retrain_machine_arn, name=run, request=body)
    return None


def places_of(request: Request, settings: Settings) -> StartPlaces | None:
    """The deployment's places; a person's request needs none."""
    if not settings.retrainings_at_once or request.trigger is not None:
        return None
    return StartPlaces(settings.state_table, settings.data_bucket, settings.retrainings_at_once)


def live_values(gathered: Knowledge) -> dict[str, Any]:
    """What the labels said last of the model that serves: an approver weighs it; nothing where they have said nothing."""
    measured = [window for window in gathered.judged if window.live]
    if not measured:
        return {}
    last = measured[-1]
    span = {"start": to_text(last.verdict.start), "end": to_text(last.verdict.end)}
    return {"live": {"package_version": last.package_version, "metrics": list(last.live), **span}}


def note_start(decision: RetrainingDecision, candidate: Candidate, settings: Settings) -> None:
    """Remember and tell the start once, also where an earlier run of this function died just before."""
    request, state = candidate.request, candidate.gathered.state
    run, dynamodb = run_of(decision, request), clients.dynamodb()
    if not windows.is_told(dynamodb, settings.state_table, request.model, f"start#{run}"):
        rows = state.new_labelled_rows if state else 0
        noted = RetrainingStart(request.time, str(decision.kind), str(decision.episode), new_rows=rows)
        windows.save_start(dynamodb, settings.state_table, request.model, run, noted)
    tell_once(f"start#{run}", "retraining_started", {"run": run, **facts(decision)}, request, settings)


def tell_once(what: str, kind: str, detail: dict[str, Any], request: Request, settings: Settings) -> None:
    """Write the timeline and tell people, unless they were told."""
    telling.tell_once(desk_of(settings), what, Entry(request.model, kind, request.time, detail))


def facts(decision: RetrainingDecision) -> dict[str, Any]:
    """The decision as the timeline and the caller read it; what does not apply is absent."""
    found: dict[str, Any] = {"reasons": list(decision.reasons)}
    if decision.kind is not None:
        found |= {"trigger": decision.kind, "episode": decision.episode, "attempt": decision.attempt}
        found |= {"triggers": list(decision.triggers)} if len(decision.triggers) > 1 else {}
    return found | ({"hold": decision.hold, "lifts": list(decision.lifts)} if decision.hold else {})


def run_of(decision: RetrainingDecision, request: Request) -> str:
    """The execution's name: the same for the same cause and attempt."""
    return run_name(stage.current().named(request.model), str(decision.kind), str(decision.episode), decision.attempt)


def status_of(run: str, settings: Settings) -> str | None:
    """How an execution stands; None where there is none, or none any more."""
    return executions.status(clients.stepfunctions(), executions.execution_arn(settings.retrain_machine_arn, run))
