"""Start a retraining, or hold it with its reason, from the state as it is now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from kedge.config.model import ModelConfig
from kedge.errors import LeaseHeldError
from kedge.instants import to_text
from kedge.retraining.decision import decide_retraining, held_if_watched, requested_retraining, run_name
from kedge.retraining.state import RetrainingDecision, RetrainingStart, RetrainingState
from lambdas.adapters import clients, executions, telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state import champions, leases, windows
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.telling import desk_of
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.requests import StageRequest


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    retrain_machine_arn: str
    alert_topic_arn: str
    event_topic_arn: str


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
    if "Records" in event:
        event = StageRequest.from_event(event).model_dump(mode="json")
    request, settings = Request.model_validate(event), Settings.from_environment()
    config = load_model(request.model, settings.data_bucket)
    decision = held_if_watched(decide(request, settings, config), model=request.model, mode=config.mode)
    if decision.action == "START":
        decision = start(decision, request, settings, config)
    if decision.action == "HOLD":
        tell_once(f"hold#{decision.episode}#{decision.hold}", "retraining_held", facts(decision), request, settings)
    logger.info("decided", model=request.model, action=decision.action, kind=decision.kind, hold=decision.hold)
    run = {"run": run_of(decision, request)} if decision.action == "START" else {}
    return {"action": decision.action, **run, **facts(decision)}


def decide(request: Request, settings: Settings, config: ModelConfig) -> RetrainingDecision:
    """Gather the state; a person's request needs none."""
    if request.trigger is not None:
        return requested_retraining(request.trigger, request.reason, request.time)
    dynamodb, table = clients.dynamodb(), settings.state_table
    champion = champions.load(dynamodb, table, request.model)
    if champion is None:
        return RetrainingDecision("NONE", (f"{request.model} is not deployed",))
    judged = windows.load_windows(dynamodb, table, request.model, since=champion.promoted_at)
    judged = [window for window in judged if window.package_version == champion.package_version]
    state = RetrainingState(
        windows=tuple(window.verdict for window in judged),
        starts=load_starts(request, settings),
        champion_since=champion.promoted_at,
        new_labelled_rows=judged[-1].new_labelled_rows if judged else 0,
        paused=windows.pause_reason(dynamodb, table, request.model),
    )
    return decide_retraining(state, config.retraining, request.time, config.performance)


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


def start(
    decision: RetrainingDecision, request: Request, settings: Settings, config: ModelConfig
) -> RetrainingDecision:
    """Start the execution that the cause names: RUNNING or SUCCEEDED is done, a failed one takes the next attempt."""
    for attempt in range(decision.attempt, config.retraining.attempts_maximum + 1):
        tried = replace(decision, attempt=attempt)
        status = status_of(run_of(tried, request), settings)
        if status in executions.ENDED_BADLY:
            continue
        try:
            if status is None:
                begin(tried, request, settings)
        except LeaseHeldError as held:
            # Decided again with the next window: nothing is lost by not waiting here.
            return replace(tried, action="HOLD", hold="lease", reasons=(*decision.reasons, str(held)))
        note_start(tried, request, settings)
        return tried
    failed = f"{config.retraining.attempts_maximum} executions failed; a person must find out why"
    return replace(decision, action="HOLD", hold="attempts", reasons=(*decision.reasons, failed))


def begin(decision: RetrainingDecision, request: Request, settings: Settings) -> None:
    """Take the lease for the execution, then start it."""
    run = run_of(decision, request)
    leases.take(
        clients.dynamodb(),
        clients.stepfunctions(),
        settings.state_table,
        request.model,
        Lease(executions.execution_arn(settings.retrain_machine_arn, run), wall_clock(), "retraining"),
    )
    trigger = {"kind": decision.kind, "episode": decision.episode, "reasons": list(decision.reasons)}
    trigger |= live_values(request, settings)
    body = {"model": request.model, "run": run, "time": to_text(request.time), "trigger": trigger}
    executions.start(clients.stepfunctions(), settings.retrain_machine_arn, name=run, request=body)


def live_values(request: Request, settings: Settings) -> dict[str, Any]:
    """What the labels said last of the model that serves: an approver weighs it; nothing where they have said nothing."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    champion = champions.load(dynamodb, table, request.model)
    if champion is None:
        return {}
    judged = windows.load_windows(dynamodb, table, request.model, since=champion.promoted_at)
    measured = [w for w in judged if w.live and w.package_version == champion.package_version]
    if not measured:
        return {}
    last = measured[-1]
    span = {"start": to_text(last.verdict.start), "end": to_text(last.verdict.end)}
    return {"live": {"package_version": last.package_version, "metrics": list(last.live), **span}}


def note_start(decision: RetrainingDecision, request: Request, settings: Settings) -> None:
    """Remember and tell the start once, also where an earlier run of this function died just before."""
    run, dynamodb = run_of(decision, request), clients.dynamodb()
    if not windows.is_told(dynamodb, settings.state_table, request.model, f"start#{run}"):
        noted = RetrainingStart(request.time, str(decision.kind), str(decision.episode))
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
    return found | ({"hold": decision.hold} if decision.hold else {})


def run_of(decision: RetrainingDecision, request: Request) -> str:
    """The execution's name: the same for the same cause and attempt."""
    return run_name(request.model, str(decision.kind), str(decision.episode), decision.attempt)


def status_of(run: str, settings: Settings) -> str | None:
    """How an execution stands; None where there is none, or none any more."""
    return executions.status(clients.stepfunctions(), executions.execution_arn(settings.retrain_machine_arn, run))
