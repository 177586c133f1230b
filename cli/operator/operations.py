"""The effects of an operator's commands on the deployed system, through the same adapters as its functions."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.operator.deployment import Caller, Deployment
from cli.operator.every_model import find_known, known_models
from cli.refusals import BadInputError
from kedge.alerts.holding import Mute
from kedge.alerts.incident import acknowledges
from kedge.config.capture_place import is_adopted, registry_number
from kedge.errors import KedgeError, LeaseHeldError, UnknownPackageError, WatchedModelError
from kedge.instants import to_text
from lambdas.adapters import executions
from lambdas.adapters.bucket import layout, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.release import model_registry
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import champions, leases, mutes, pauses, state_items
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.state_items import Item

OTHERS_SHOWN = 10
MUTE_MAX = timedelta(days=90)


@dataclass(frozen=True)
class GoneBack:
    """The release that brings an earlier package back."""

    run: str
    version: str
    champion_version: str

    @property
    def is_back(self) -> bool:
        """Whether the version is an older one than what serves: registry versions are numbers that grow."""
        return registry_number(self.version) < registry_number(self.champion_version)


def ask_for_retraining(deployment: Deployment, model: str, reason: str, *, initial: bool) -> dict[str, Any]:
    """Call the function that decides, as its schedule does; its answer says whether an execution started."""
    if initial or not _has_champion(deployment, model):
        _see_first_rows(deployment, model, unless_serving="" if initial else "no package of it serves yet, and ")
    caller = deployment.caller
    event = {
        "model": model,
        "time": to_text(caller.time),
        "trigger": "initial" if initial else "manual",
        "reason": f"{reason} (requested by {caller.name})",
    }
    return deployment.call(deployment.decide_function, event)


def _has_champion(deployment: Deployment, model: str) -> bool:
    try:
        return champions.load(deployment.client("dynamodb"), deployment.table, model) is not None
    except ClientError as error:
        # A user who may not look may still ask.
        if error.response["Error"]["Code"] == "AccessDeniedException":
            return True
        raise


def _see_first_rows(deployment: Deployment, model: str, *, unless_serving: str) -> None:
    """Refuse a first training without rows: it would fail minutes later, and ring an alarm."""
    key = layout.initial_key(model)
    try:
        deployment.client("s3").head_object(Bucket=deployment.bucket, Key=key)
    except ClientError as error:
        # A user who may not look (403) may still ask; the function looks itself.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
            raise BadInputError(
                f"{model} has nothing to learn from: {unless_serving}s3://{deployment.bucket}/{key} is not there; is the "
                "model's name spelt as in models/? Upload the first rows to that place, then ask again"
            ) from error


def settle_now(deployment: Deployment, model: str) -> dict[str, Any]:
    """Call the function that settles, as its hour does; its answer says what it found."""
    return deployment.call(deployment.settle_function, {"model": model, "time": to_text(deployment.now)})


def pause_retraining(deployment: Deployment, model: str, reason: str) -> None:
    """Save the pause where every decision looks for it, and write it into the timeline."""
    champion_of(deployment, model)
    caller, dynamodb = deployment.caller, deployment.client("dynamodb")
    pauses.save(dynamodb, deployment.table, model, reason=f"{reason} ({caller.name})", by=caller.name, now=caller.time)
    _record(deployment, model, "paused", {"by": caller.name, "reason": reason})


def resume_retraining(deployment: Deployment, model: str) -> str | None:
    """Remove the pause and write that down; return its reason, or None without a pause."""
    before = pauses.remove(deployment.client("dynamodb"), deployment.table, model)
    if before is not None:
        _record(deployment, model, "resumed", {"by": deployment.caller.name, "reason": f"it was paused: {before}"})
    return before


def pause_every(deployment: Deployment, reason: str) -> list[str]:
    """Pause each model that serves and is not paused; what a person paused before keeps its reason. Return their names."""
    items = _champions_and_pauses(deployment)
    names = sorted(model for model, item in items if item == champions.ITEM and (model, pauses.ITEM) not in items)
    for name in names:
        pause_retraining(deployment, name, reason)
    return names


def resume_every(deployment: Deployment) -> list[str]:
    """Let every model that is paused retrain again; return their names."""
    names = sorted(model for model, item in _champions_and_pauses(deployment) if item == pauses.ITEM)
    for name in names:
        resume_retraining(deployment, name)
    return names


def _champions_and_pauses(deployment: Deployment) -> Mapping[tuple[str, str], Item]:
    keys = [(name, item) for name in known_models(deployment) for item in (champions.ITEM, pauses.ITEM)]
    return state_items.load_items(deployment.client("dynamodb"), deployment.table, keys)


def mute_messages(deployment: Deployment, model: str, until: datetime, reason: str) -> None:
    """Hold the model's messages until then, and write that into the timeline."""
    champion_of(deployment, model)
    caller = deployment.caller
    if not caller.time < until <= caller.time + MUTE_MAX:
        raise BadInputError(
            f"--until is {until:%Y-%m-%dT%H:%M} UTC: it must be after now and within {MUTE_MAX.days} days, so that no mute is forgotten"
        )
    mute = Mute(until, reason, caller.name)
    mutes.save(deployment.client("dynamodb"), deployment.table, model, mute)
    _record(deployment, model, "muted", {"by": caller.name, "reason": reason, "until": to_text(until)})


def unmute_messages(deployment: Deployment, model: str) -> Mute | None:
    """End the mute now; within the hour people are told what they did not hear. None without a mute."""
    before = mutes.load(deployment.client("dynamodb"), deployment.table, model)
    if before is not None:
        caller = deployment.caller
        # Its end is told by the next settlement, as if it had ended by itself.
        ended = replace(before, until=caller.time)
        mutes.save(deployment.client("dynamodb"), deployment.table, model, ended)
        _record(deployment, model, "unmuted", {"by": caller.name, "reason": f"it was muted: {before.reason}"})
    return before


def send_test_alert(deployment: Deployment, model: str, severity: str, channel: str | None) -> dict[str, Any]:
    """Have the function `tell` send a test the way every message goes; its answer says where it went."""
    caller = deployment.caller
    detail = {"severity": severity, "channel": channel, "by": caller.name}
    event = {"model": model, "kind": "test_alert", "time": to_text(caller.time), "detail": detail}
    return deployment.call(deployment.tell_function, event)


def _record(deployment: Deployment, model: str, kind: str, detail: dict[str, str]) -> None:
    s3, entry = deployment.client("s3"), Entry(model, kind, deployment.caller.time, detail)
    timeline.record(s3, deployment.bucket, entry)
    if acknowledges(kind):
        try:
            if _beyond_mail(deployment, model):
                deployment.call(deployment.tell_function, {**entry.to_json(), "acted": True})
        except (BotoCoreError, ClientError, KedgeError) as error:
            # What was typed is done: this says only that a pager may go on calling.
            sys.stderr.write(f"chats and pagers do not know of it: {error}\n")


def _beyond_mail(deployment: Deployment, model: str) -> bool:
    """Whether a message about the model may go to a chat, a pager or a webhook."""
    config = find_known(deployment, model)
    return config is not None and any({*route.to} - {"email"} for route in config.alerts.routes or ())


def go_back(deployment: Deployment, model: str, reason: str, *, version: str | None) -> GoneBack:
    """Start the release of an approved package again: under the lease, written down, and named after its cause."""
    champion_of(deployment, model)
    # Unfinished work is settled first: a release needs the true state, and may change the champion.
    settled = settle_now(deployment, model)
    if settled.get("mode") == "watch":
        raise BadInputError(str(WatchedModelError(model=model)))
    serves = settled["verdict"] == "agreed"
    champion = champion_of(deployment, model)
    package = _earlier_package(deployment, model, champion, version, serves=serves)
    run = _free_run(deployment, package, champion)
    caller, machine = deployment.caller, deployment.release_machine
    stepfunctions = deployment.client("stepfunctions")
    holder = executions.execution_arn(machine, run)
    _take_lease(deployment, model, holder, caller)
    _write_down(deployment, model, package, caller, run, reason)
    # Every message of the release says that it is a rollback, its two versions, who wanted it and why.
    back = {"from": champion.package_version, "to": package.version, "by": caller.name, "reason": reason}
    request = {"model": model, "run": run, "time": to_text(caller.time), "package_arn": package.arn, "rollback": back}
    executions.start(stepfunctions, machine, name=run, request=request)
    return GoneBack(run, package.version, champion.package_version)


def champion_of(deployment: Deployment, model: str) -> Champion:
    """The champion; a model without one is refused."""
    champion = champions.load(deployment.client("dynamodb"), deployment.table, model)
    if champion is None:
        raise BadInputError(f"no package of {model!r} serves yet; is the name spelt as in models/?")
    return champion


def _earlier_package(
    deployment: Deployment, model: str, champion: Champion, version: str | None, *, serves: bool
) -> Package:
    arn = champion.previous_package_arn
    if version is not None:
        arn = f"{champion.package_arn.rpartition('/')[0]}/{version}"
    if arn is None:
        served = champion.package_version
        others = _others(deployment, champion, but=served)
        raise BadInputError(
            f"version {served} is the first that {model} has served; name another with --to VERSION{others}"
        )
    if is_adopted(arn.rpartition("/")[2]):
        raise BadInputError(
            f"what served before version {champion.package_version} was adopted, and is no package in the registry: put its endpoint "
            f"config back by hand (`kedge history {model} --json` names it as previous_config)"
        )
    if arn == champion.package_arn and serves:
        raise BadInputError(f"version {champion.package_version} of {model} serves already")
    but = champion.package_version if serves else ""
    try:
        package = model_registry.describe_package(deployment.client("sagemaker"), arn)
    except UnknownPackageError as error:
        raise BadInputError(
            f"{model} has no version {arn.rpartition('/')[2]} in the registry{_others(deployment, champion, but=but)}"
        ) from error
    if package.approval_status != "Approved":
        raise BadInputError(
            f"version {package.version} of {model} is {package.approval_status} in the registry; "
            f"approve it there, and that alone releases it{_others(deployment, champion, but=but)}"
        )
    return package


def _others(deployment: Deployment, champion: Champion, *, but: str) -> str:
    """The versions to go back to, as the end of a refusal; empty if the registry may not be listed."""
    try:
        group = champion.package_arn.split("/")[-2]
        approved = model_registry.list_versions(deployment.client("sagemaker"), group, "Approved")
    except ClientError:
        return ""
    versions = [str(version) for version in approved if str(version) != but]
    shown = ", ".join(versions[:OTHERS_SHOWN]) + (
        f" and {len(versions) - OTHERS_SHOWN} older" * (len(versions) > OTHERS_SHOWN)
    )
    return f"; approved versions: {shown}" if versions else "; no other version is approved"


def _free_run(deployment: Deployment, package: Package, champion: Champion) -> str:
    """A name with both versions, so that two operators start one release; after its end the next name."""
    stepfunctions, attempt = deployment.client("stepfunctions"), 0
    while True:
        cause = f"{package.arn}#{champion.endpoint_config}#{attempt}"
        run = f"{package.group}-v{package.version}-rollback-{hashlib.sha256(cause.encode()).hexdigest()[:12]}"
        status = executions.status(stepfunctions, executions.execution_arn(deployment.release_machine, run))
        if status == "RUNNING":
            raise BadInputError(f"{run} is already on its way to version {package.version}")
        if status is None:
            return run
        attempt += 1


def _take_lease(deployment: Deployment, model: str, holder: str, caller: Caller) -> None:
    dynamodb, stepfunctions = deployment.client("dynamodb"), deployment.client("stepfunctions")
    try:
        lease = leases.Lease(holder, caller.time, "rollback")
        leases.take(dynamodb, stepfunctions, deployment.table, model, lease)
    except LeaseHeldError as error:
        raise BadInputError(
            f"{error.holder} works on {model}; try again when that has ended, or end it with "
            f"`aws stepfunctions stop-execution --execution-arn {error.holder}`"
        ) from error


def _write_down(deployment: Deployment, model: str, package: Package, caller: Caller, run: str, reason: str) -> None:
    """Write the person's decision into the timeline before anything moves."""
    detail = {
        "package_arn": package.arn,
        "package_version": package.version,
        "by": caller.name,
        "reason": f"rollback: {reason}",
        "run": run,
    }
    _record(deployment, model, "approved", detail)
