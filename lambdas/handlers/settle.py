"""Settle a model: what serves, the champion item, alarms, lease, what people decided and what they must be told agree again.

Called by the release machine at its end, hourly for a model where something waits or has changed (`fan_out` finds it), once a day
for every model, after each execution that has ended, and by `kedge reconcile MODEL`. The endpoint is the truth; whatever was
interrupted is brought to an end here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel

from kedge.config.prices import cost_usd
from kedge.config.training import run_prefix
from kedge.errors import EndpointVariantsError, MessagesUntoldError
from kedge.instants import to_text
from kedge.release.serving import AGREED, ServingVerdict
from lambdas import stage
from lambdas.adapters import clients, executions, queues, telling
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.catalogue import find_model
from lambdas.adapters.release import canary_alarms, canary_traffic, endpoints, experiments
from lambdas.adapters.state import champions, leases, standing, under_way, windows
from lambdas.adapters.state.standing import Standing
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.adapters.telling import Desk, desk_of
from lambdas.adapters.times import wall_clock
from lambdas.adapters.training import run_leftovers
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.gate.cost import cost_of_failed
from lambdas.steps.gate.tracked_runs import track_runs
from lambdas.steps.health import looks
from lambdas.steps.health.waiting_packages import tell_waiting
from lambdas.steps.hourly_work import SWEEP_HOUR
from lambdas.steps.mute_end import end_mute
from lambdas.steps.release.run_sweep import sweep_model, sweep_pipeline, sweep_run, sweep_trials
from lambdas.steps.release.serving_check import as_it_was, check_serving, check_variants
from lambdas.steps.release.settled_experiment import settle_experiment, tell_overtaken
from lambdas.steps.release.settled_release import Bench, settle_release, tell_once
from lambdas.steps.release.shown_stages import show_stages


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    alert_topic_arn: str
    event_topic_arn: str
    approvals_queue_url: str
    retrain_machine_arn: str
    role_name: str


class Ended(BaseModel, frozen=True):
    """The part of a "Step Functions Execution Status Change" that is needed; a large input is left out by AWS."""

    executionArn: str  # noqa: N815  (the name in the event)
    status: str
    input: str | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The execution's input; nothing where it is no object."""
        try:
            given = json.loads(self.input or "null")
        except ValueError:
            return {}
        return given if isinstance(given, dict) else {}

    @property
    def model(self) -> str | None:
        """The model in the execution's input; None where a person started it with something else."""
        model = self.given.get("model")
        return model if isinstance(model, str) else None

    @property
    def rollback(self) -> dict[str, Any]:
        """What people are told of a roll-back; nothing of any other execution."""
        rollback = self.given.get("rollback")
        return {"rollback": rollback} if isinstance(rollback, dict) else {}


class Request(BaseModel, frozen=True):
    """A model to settle; `run` where the release machine itself asks.

    `hourly` is in the messages that `fan_out` sends: what was compared a short while ago and has not changed is passed over.
    """

    time: AwareDatetime
    model: str | None = None
    run: str | None = None
    hourly: bool = False
    detail: Ended | None = None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a direct call, or the one message of the queue."""
        found = json.loads(event["Records"][0]["body"]) if "Records" in event else event
        request = cls.model_validate(found)
        if request.model is None and request.detail is not None:
            request = request.model_copy(update={"model": request.detail.model})
        return request


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Settle one model."""
    request, settings = Request.from_event(event), Settings.from_environment()
    if request.model is None:
        # AWS leaves an input above 248 KiB out of its event: an hour's tick finds the lease that has lost its holder.
        return {"verdict": "UNNAMED"}
    config = find_model(request.model, settings.data_bucket)
    desk = desk_of(settings)
    if config is None:
        stands = standing.load(clients.dynamodb(), settings.state_table, request.model)
        return {"verdict": "UNKNOWN_MODEL", "told_again": tell_kept(request.model, stands, desk, request.time)}
    bench = Bench(config, desk, request.time)
    answer = end_of_machine(request.run, bench) if request.run else reconcile(request, bench, settings)
    logger.info("settled", model=request.model, **answer)
    return answer


def end_of_machine(run: str, bench: Bench) -> dict[str, Any]:
    """Settle the machine's own release, whose lease it still holds."""
    release = under_way.load(clients.dynamodb(), bench.desk.table, bench.model)
    if release is None or release.run != run:
        overtaken = tell_overtaken(experiments.load(clients.dynamodb(), bench.desk.table, bench.model, run), bench)
        return {"verdict": "OVERTAKEN" if overtaken else "NOTHING", "reasons": overtaken or ["nothing was changed"]}
    proof = (settle_experiment if release.experiment else settle_release)(release, bench, tried_again=True)
    answer: dict[str, Any] = {"verdict": proof.verdict, "reasons": list(proof.reasons)}
    if proof.verdict == "SHORT":
        answer["shortage"] = "; ".join(proof.reasons)
        if release.previous_config is None:
            # It must go before the next try can make it again.
            answer["failed_endpoint"] = bench.config.endpoint.name
    return answer


def reconcile(request: Request, bench: Bench, settings: Settings) -> dict[str, Any]:
    """Bring a model in order, then send what could not be told."""
    tell_end(request.detail, bench)
    stands = standing.load(clients.dynamodb(), settings.state_table, bench.model)
    answer = bring_in_order(request, stands, bench, settings)
    sweep(request, bench, settings)
    is_due = not request.hourly or request.time.hour == SWEEP_HOUR
    # A package of a watched model is not released, and a model in the data bucket has no package group at all.
    if bench.config.mode == "manage" and answer["verdict"] != "AT_WORK" and is_due:
        tell_waiting(bench, settings.approvals_queue_url)
        show_stages(bench.config, table=settings.state_table, role=settings.role_name)
    if is_due:
        ended = request.detail.executionArn if request.detail else ""
        track_runs(bench, settings.retrain_machine_arn, ended=ended)
    if request.hourly and request.time.hour == SWEEP_HOUR:
        looks.look(bench, settings.retrain_machine_arn)
    sent = tell_kept(bench.model, stands, bench.desk, bench.time)
    watched = {"mode": "watch"} if bench.config.mode == "watch" else {}
    return {**answer, **watched, "told_again": sent}


def tell_kept(model: str, stands: Standing, desk: Desk, now: datetime) -> int:
    """Send what could not be told, also of a model that was taken away; what still cannot is an error, so that its alarm is heard."""
    end_mute(model, stands, desk, now)
    sent, left = telling.tell_again(desk, stands.untold, mute=stands.mute, now=now)
    if left:
        raise MessagesUntoldError(model=model, messages=left)
    return sent


def sweep(request: Request, bench: Bench, settings: Settings) -> None:
    """Remove what retrainings have left behind: after one that has ended, and once a day; endpoints on trial each hour.

    A model that answers elsewhere than at an endpoint is never trained.
    """
    if not bench.config.has_endpoint:
        return
    if request.detail is not None:
        machine, run = executions.machine_and_run(request.detail.executionArn)
        if machine == executions.machine_name(settings.retrain_machine_arn):
            sweep_run(run)
            sweep_pipeline(bench.config.training.pipeline, run)
            note_cost(run, bench)
    elif request.time.hour == SWEEP_HOUR:
        sweep_model(run_prefix(bench.config.resource_name), settings.retrain_machine_arn)
    elif bench.config.staging is not None:
        sweep_trials(run_prefix(bench.config.resource_name), settings.retrain_machine_arn)


def note_cost(run: str, bench: Bench) -> None:
    """Note what a retraining that has ended has cost, for the budget and the weekly digest; a price that is not known, nothing."""
    policy = bench.config.retraining
    if not run_leftovers.is_run(run):
        return
    seconds = Counter(run_leftovers.instance_seconds(clients.sagemaker(), run)) + Counter(paid_on_trial(run, bench))
    costs = [cost_usd(kind, paid, usd_an_hour=policy.usd_per_instance_hour) for kind, paid in seconds.items()]
    if None in costs and policy.budget_usd_per_month is None:
        return
    # A budget counts what is known of the price rather than nothing.
    total = round(sum(cost for cost in costs if cost is not None), 4)
    windows.save_cost(clients.dynamodb(), bench.desk.table, bench.model, run, total)
    logger.info("a retraining has cost", model=bench.model, run=run, usd=total, seconds=seconds)


def paid_on_trial(run: str, bench: Bench) -> dict[str, float]:
    """Seconds of the instance on which the run's challenger was tried, by instance type, as its judgement wrote them down."""
    kept = objects.read(clients.s3(), bench.desk.bucket, layout.retraining_key(bench.model, run, layout.STAGING))
    found: dict[str, float] = json.loads(kept[0])["paid"] if kept else {}
    return found


def bring_in_order(request: Request, stands: Standing, bench: Bench, settings: Settings) -> dict[str, Any]:
    """Settle a model on which nobody works: each step is harmless where there is nothing to do."""
    holder = leases.holder_at_work(
        clients.dynamodb(), clients.stepfunctions(), bench.desk.table, bench.model, stands.lease, now=wall_clock()
    )
    if holder is not None:
        return {"verdict": "AT_WORK", "holder": holder}
    if not bench.config.has_endpoint:
        return {"verdict": "NO_ENDPOINT", "reasons": [f"the model answers in its {bench.config.answers_from}"]}
    try:
        wanted = bench.config.endpoint
        endpoint = endpoints.describe_endpoint(clients.sagemaker(), wanted.name, variants=wanted.variants)
    except EndpointVariantsError as error:
        # Everything else rests on one variant: until a person has made one of them, this is all that can be said.
        several = check_variants(error, stands, bench)
        return {"verdict": several.state, "reasons": list(several.reasons)}
    if endpoint is not None and not endpoint.settled:
        # The next hour settles it.
        return {"verdict": "CHANGING", "reasons": send_back(stands.release, bench)}
    if settle_what_is_noted(stands, bench):
        stands = replace(stands, agreement=None)
    verdict = as_it_was(endpoint, stands, bench) if request.hourly else None
    if verdict is None:
        canary_alarms.delete(clients.cloudwatch(), canary_alarms.left_over(clients.cloudwatch(), bench.config))
        verdict = check_serving(endpoint, stands.agreement, bench)
    follow_up(verdict, stands, bench, settings)
    if stands.waiting is not None:
        body = {"time": to_text(bench.time), "detail": {"ModelPackageArn": stands.waiting.package_arn}}
        queues.send(clients.sqs(), settings.approvals_queue_url, body)
    return {"verdict": verdict.state, "reasons": list(verdict.reasons)}


def settle_what_is_noted(stands: Standing, bench: Bench) -> bool:
    """Bring to their end a release and an experiment whose machine is gone; say whether there was a release."""
    release, experiment = stands.release, stands.experiment
    if experiment is not None and (release is None or release.run != experiment.run):
        tell_overtaken(experiment, bench)
    if release is not None:
        (settle_experiment if release.experiment else settle_release)(release, bench)
    return release is not None


def follow_up(verdict: ServingVerdict, stands: Standing, bench: Bench, settings: Settings) -> None:
    """Let `start_release` go back from what serves and was rejected or broke its promise, or put back what was changed by hand."""
    policy, promise = bench.config.release, stands.promise
    unkept = (
        verdict.state == AGREED and policy.broken_promise == "rollback" and promise is not None and promise.broken != ()
    )
    if verdict.action not in ("GO_BACK", "PUT_BACK") and not unkept:
        return
    champion = champions.load(clients.dynamodb(), bench.desk.table, bench.model)
    if champion is None:
        return
    body: dict[str, Any] = {"time": to_text(bench.time)}
    if verdict.action == "GO_BACK":
        body["detail"] = {"ModelPackageArn": champion.package_arn}
    elif verdict.action == "PUT_BACK":
        # A version that was left behind the champion goes whatever the YAML says. If that fails, it is tried again the next day.
        left = verdict.state.startswith("left behind")
        why = "" if left else "release.changed_by_hand is put_back: "
        cause = f"{verdict.since} {bench.time:%Y-%m-%d}" if left else verdict.since
        back = {"model": bench.model, "by": "Kedge", "reason": why + verdict.reasons[0], "cause": cause, "same": True}
        body["back"] = back
    elif promise is not None and promise.endpoint_config == champion.endpoint_config:
        reason = "release.broken_promise is rollback: " + promise.broken[0]
        body["back"] = {"model": bench.model, "by": "Kedge", "reason": reason, "cause": "promise"}
    else:
        return
    queues.send(clients.sqs(), settings.approvals_queue_url, body)


def send_back(release: ReleaseUnderWay | None, bench: Bench) -> list[str]:
    """Put the gauge of a canary whose machine is gone as if it misbehaved: what nobody watches is not promoted."""
    if release is None or release.previous_config is None or release.experiment:
        return []
    canary_traffic.put_gauge(clients.cloudwatch(), model=bench.model, endpoint_config=release.endpoint_config, value=1)
    return [f"nobody watches the canary of version {release.package_version} any more: it goes back"]


def tell_end(ended: Ended | None, bench: Bench) -> None:
    """Tell of an execution that was stopped, ran out of time, or broke where it could tell nobody."""
    if ended is None or ended.status not in executions.ENDED_BADLY:
        return
    machine, run = executions.machine_and_run(ended.executionArn)
    detail = {
        "machine": stage.current().plain(machine),
        "run": run,
        "execution": ended.executionArn,
        "state": "its end",
        "error": ended.error or ended.status,
        "cause": ended.cause or "",
    } | ended.rollback
    detail |= cost_of_failed(machine, run, bench.config)
    tell_once(f"failed#{run}", "failed", detail, bench)
