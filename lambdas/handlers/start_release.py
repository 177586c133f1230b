"""Start the release of a package that a person approved; hear of one that a person rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ValidationError, WrapValidator

from kedge.config.model import ModelConfig
from kedge.errors import (
    EndpointVariantsError,
    LeaseHeldError,
    RegistryBehindError,
    UnknownPackageError,
    WatchedModelError,
)
from kedge.instants import to_text
from kedge.release.approval_order import Reading, is_decided_anew, judge_reading
from lambdas.adapters import clients, executions, telling
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.models import load_models
from lambdas.adapters.release import endpoints, model_registry
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import approvals, champions, leases, under_way
from lambdas.adapters.state.approvals import Approval, Waiting
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.telling import desk_of, record_and_tell
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    release_machine_arn: str
    alert_topic_arn: str
    event_topic_arn: str


def readable(value: Any, read: Any) -> datetime | None:
    """Read a time that may be a date, milliseconds or their text; anything else says nothing."""
    try:
        time: datetime | None = read(value)
    except ValidationError:
        return None
    return time


class Detail(BaseModel, frozen=True):
    """SageMaker's event: which package it is about, and which change it tells of. The registry alone is acted on."""

    ModelPackageArn: str
    ModelApprovalStatus: str | None = None
    LastModifiedTime: Annotated[AwareDatetime | None, WrapValidator(readable)] = None


class Request(BaseModel, frozen=True):
    """A "SageMaker Model Package State Change": it comes for any update, at times more than once."""

    time: AwareDatetime
    detail: Detail
    deliveries: int = 1

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read the one message of the approvals' queue: while another execution holds the lease, it comes again."""
        (record,) = event["Records"]
        told = cls.model_validate_json(record["body"])
        count = record.get("attributes", {}).get("ApproximateReceiveCount", 1)
        return told.model_copy(update={"deliveries": int(count)})

    def reading(self, package: Package) -> Reading:
        """Whether the registry's answer comes before or after what the event tells."""
        return judge_reading(
            told=self.detail.ModelApprovalStatus,
            found=package.approval_status,
            told_at=self.detail.LastModifiedTime or self.time,
            changed_at=package.changed_at,
            deliveries=self.deliveries,
        )

    def tells_of_another(self, package: Package, known: Approval) -> bool:
        """Whether the status was another one between the decision last heard and the one that the registry answers."""
        told = self.detail.ModelApprovalStatus
        return told not in (None, package.approval_status) and is_decided_anew(
            told_at=self.detail.LastModifiedTime, heard_at=known.decided_at, changed_at=package.changed_at
        )


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Act on what the registry says now, once for each time a person decided."""
    request, settings = Request.from_event(event), Settings.from_environment()
    try:
        package = model_registry.describe_package(clients.sagemaker(), request.detail.ModelPackageArn)
    except UnknownPackageError:
        # SageMaker tells of a deletion as of any change, with the status that the package had.
        return hear_deletion(request.detail.ModelPackageArn, settings)
    config = next((config for config in load_models().values() if config.package_group == package.group), None)
    if config is None:
        return {"verdict": "NOT_OURS"}
    reading, told = request.reading(package), request.detail.ModelApprovalStatus or ""
    if reading == "BEHIND":
        # Back into the queue, before anything is remembered of a status that is no more.
        raise RegistryBehindError(package_arn=package.arn, told=told, found=package.approval_status)
    known = approvals.load(clients.dynamodb(), settings.state_table, config.model, package.version)
    waits = is_waiting(settings, config, package)
    if known.status == package.approval_status and not waits and not request.tells_of_another(package, known):
        return hear_again(reading, request, settings, config, package, known)
    if waits:
        return act(request, settings, config, package, known, decided=known)
    approved = package.approval_status == "Approved"
    decided = Approval(package.approval_status, known.approvals + approved, package.changed_at or request.time)
    return act(request, settings, config, package, known, decided=decided)


def is_waiting(settings: Settings, config: ModelConfig, package: Package) -> bool:
    """Whether this package is approved and waits until nobody works on its model."""
    waiting = approvals.load_waiting(clients.dynamodb(), settings.state_table, config.model)
    return waiting is not None and waiting.package_arn == package.arn and package.approval_status == "Approved"


def act(
    request: Request, settings: Settings, config: ModelConfig, package: Package, known: Approval, *, decided: Approval
) -> dict[str, Any]:
    """Act on a decision that is new or that has waited, and remember it; `known` is the one before."""
    answer: dict[str, Any] = {"verdict": "PENDING"}
    if package.approval_status == "Approved" and config.mode == "watch":
        answer = withhold(request, settings, config, package)
    elif package.approval_status == "Approved":
        answer = release(request, settings, config, package, decided)
    elif known.status == "Approved" or package.approval_status == "Rejected":
        answer = hear_taken_back(request, settings, config, package)
    if answer["verdict"] != "WAITING":
        # For every other answer: a package that still waited would be answered again every hour.
        approvals.forget_waiting(clients.dynamodb(), settings.state_table, config.model, package.arn)
    logger.info("heard", model=config.model, package=package.arn, status=package.approval_status, **answer)
    # Remembered last: a crash before this line repeats the start, which its name makes harmless.
    approvals.save(clients.dynamodb(), settings.state_table, config.model, package.version, decided)
    return answer


def hear_again(
    reading: Reading, request: Request, settings: Settings, config: ModelConfig, package: Package, known: Approval
) -> dict[str, Any]:
    """Hear of a package whose status was acted on already: mostly a metadata stamp, or the same decision told twice."""
    if reading == "OVERTAKEN" and package.approval_status == "PendingManualApproval":
        return hear_overtaken(request, settings, config, package)
    changed = known.decided_at is None or (package.changed_at or request.time) > known.decided_at
    if package.approval_status == "Approved" and changed and is_absent_champion(settings, config, package):
        return hear_of_absent(request, settings, config, package)
    return {"verdict": "ALREADY_HEARD"}


def release_name(package: Package, decided: Approval) -> str:
    """Name an execution by package and approval: the same approval starts the same execution."""
    digest = hashlib.sha256(f"{package.arn}#{decided.approvals}".encode()).hexdigest()[:12]
    return f"{package.group}-v{package.version}-release-{digest}"[:80]


def release(
    request: Request, settings: Settings, config: ModelConfig, package: Package, decided: Approval
) -> dict[str, Any]:
    """Take the model's lease for the execution that is about to start, write the approval down, then start it.

    While somebody else works on the model the package waits; of several, the one that was approved last.
    """
    if serving_champion(settings, config, package) is not None:
        reasons = [f"version {package.version} serves already: nothing was changed"]
        tell_people("approved", request, settings, config, {**decision(package), "reasons": reasons})
        return {"verdict": "ALREADY_SERVING"}
    if (newer := approved_later(settings, config, package, decided)) is not None:
        return supersede(request, settings, config, older=package.version, newer=newer)
    run, dynamodb, table = release_name(package, decided), clients.dynamodb(), settings.state_table
    unsettled = under_way.load(dynamodb, table, config.model)
    if unsettled is not None and unsettled.run != run:
        # Its note says what may have been changed: a new release would write over it.
        return wait(request, settings, config, package, decided, unsettled.run)
    holder = executions.execution_arn(settings.release_machine_arn, run)
    try:
        lease = Lease(holder, wall_clock(), "release")
        leases.take(dynamodb, clients.stepfunctions(), table, config.model, lease)
    except LeaseHeldError as held:
        return wait(request, settings, config, package, decided, held.holder)
    tell_timeline("approved", request, settings, config, {**decision(package), "run": run})
    started = executions.start(
        clients.stepfunctions(),
        settings.release_machine_arn,
        name=run,
        request={"model": config.model, "run": run, "time": to_text(request.time), "package_arn": package.arn},
    )
    return {"verdict": "STARTED" if started else "ALREADY_STARTED", "run": run}


def withhold(request: Request, settings: Settings, config: ModelConfig, package: Package) -> dict[str, Any]:
    """Tell that an approved package is not released, because its model is only watched."""
    detail = {**decision(package), "reasons": [str(WatchedModelError(model=config.model))]}
    tell_people("release_withheld", request, settings, config, detail)
    return {"verdict": "WATCHED"}


def approved_later(settings: Settings, config: ModelConfig, package: Package, decided: Approval) -> str | None:
    """The version that a person approved after this one, and that waits or serves: the newest word wins."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    if decided.decided_at is None:
        return None
    waiting = approvals.load_waiting(dynamodb, table, config.model)
    if waiting is not None and waiting.package_arn != package.arn and waiting.decided_at > decided.decided_at:
        return waiting.package_version
    champion = champions.load(dynamodb, table, config.model)
    if champion is None or champion.package_arn == package.arn:
        return None
    served = approvals.load(dynamodb, table, config.model, champion.package_version)
    later = served.decided_at is not None and served.decided_at > decided.decided_at
    return champion.package_version if later else None


def wait(
    request: Request, settings: Settings, config: ModelConfig, package: Package, decided: Approval, holder: str
) -> dict[str, Any]:
    """Let the package wait for the end of what works on its model; `settle` sends it here again then."""
    mine = Waiting(package.arn, package.version, decided.decided_at or request.time)
    newest, older = approvals.wait(clients.dynamodb(), settings.state_table, config.model, mine)
    if older is not None:
        answer = supersede(request, settings, config, older=older.package_version, newer=newest.package_version)
        if newest != mine:
            return answer
    return {"verdict": "WAITING", "holder": holder}


def supersede(request: Request, settings: Settings, config: ModelConfig, *, older: str, newer: str) -> dict[str, Any]:
    """Tell that an approved version is not released, because a newer word came."""
    reasons = [f"version {newer} was approved after version {older}, and only the newest approval is released"]
    detail = {"package_version": older, "newer_version": newer, "reasons": reasons}
    tell_people("release_superseded", request, settings, config, detail)
    return {"verdict": "SUPERSEDED", "newer": newer}


def hear_taken_back(request: Request, settings: Settings, config: ModelConfig, package: Package) -> dict[str, Any]:
    """Tell of a rejection, or of an approval taken back: a canary goes back by itself, what serves needs a person's rollback."""
    dynamodb, table = clients.dynamodb(), settings.state_table
    champion = serving_champion(settings, config, package)
    release = under_way.load(dynamodb, table, config.model)
    # A first endpoint has nothing to go back to: `settle` tells that what serves is rejected.
    canary = release is not None and release.package_arn == package.arn and release.previous_config is not None
    releasing = canary and champion is None
    detail = {**decision(package), "serving": champion is not None, "releasing": releasing}
    if champion is not None and champion.previous_package_arn:
        detail["previous_version"] = champion.previous_package_arn.rpartition("/")[2]
    elif releasing and (before := champions.load(dynamodb, table, config.model)) is not None:
        detail["previous_version"] = before.package_version
    kind = "rejected" if package.approval_status == "Rejected" else "approval_taken_back"
    # An approval that is taken back is rare, and may be a slip of the hand: it is told wherever the package is.
    if champion is not None or releasing or kind != "rejected":
        tell_people(kind, request, settings, config, detail)
    else:
        tell_timeline(kind, request, settings, config, detail)
    return {
        "verdict": "REJECTED" if kind == "rejected" else "PENDING",
        "serving": champion is not None,
        "releasing": releasing,
    }


def hear_of_absent(request: Request, settings: Settings, config: ModelConfig, package: Package) -> dict[str, Any]:
    """Tell how a champion whose endpoint was deleted comes back: its approval, given once more, looks like any change of the package.

    A change of its description must start no instances, so nothing is released; a decision is told once.
    """
    what = f"absent#{package.version}#{to_text(package.changed_at or request.time)}"
    telling.tell_once(
        desk_of(settings),
        what,
        Entry(config.model, "approved_absent", request.time, {**decision(package), "endpoint": config.endpoint.name}),
    )
    return {"verdict": "ABSENT"}


def hear_deletion(package_arn: str, settings: Settings) -> dict[str, Any]:
    """Let a package that is gone wait no more; its group stands in its ARN."""
    group = package_arn.split("/")[-2]
    for config in load_models().values():
        if config.package_group == group:
            approvals.forget_waiting(clients.dynamodb(), settings.state_table, config.model, package_arn)
    return {"verdict": "DELETED"}


def hear_overtaken(request: Request, settings: Settings, config: ModelConfig, package: Package) -> dict[str, Any]:
    """Tell that a decision was taken back before it was heard: no event tells of a package that is pending again."""
    told = request.detail.ModelApprovalStatus
    reason = (
        f"the event said {told}; when it was read, the registry said {package.approval_status}: nothing was changed"
    )
    detail = {**decision(package), "reasons": [reason]}
    tell_people("decision_overtaken", request, settings, config, detail)
    logger.info("overtaken", model=config.model, package=package.arn, told=told, status=package.approval_status)
    return {"verdict": "OVERTAKEN"}


def serving_champion(settings: Settings, config: ModelConfig, package: Package) -> Champion | None:
    """The champion where it is this package, and the endpoint really serves it."""
    champion = champions.load(clients.dynamodb(), settings.state_table, config.model)
    if champion is None or champion.package_arn != package.arn:
        return None
    try:
        endpoint = endpoints.describe_endpoint(clients.sagemaker(), config.endpoint.name)
    except EndpointVariantsError:
        # With several variants none is the champion; the requested release reports that.
        return None
    return champion if endpoint is not None and endpoint.endpoint_config == champion.endpoint_config else None


def is_absent_champion(settings: Settings, config: ModelConfig, package: Package) -> bool:
    """Whether this package is the champion of an endpoint that was deleted, and nobody is about to make it again."""
    champion = champions.load(clients.dynamodb(), settings.state_table, config.model)
    if champion is None or champion.package_arn != package.arn:
        return False
    if under_way.load(clients.dynamodb(), settings.state_table, config.model) is not None:
        return False
    try:
        return endpoints.describe_endpoint(clients.sagemaker(), config.endpoint.name) is None
    except EndpointVariantsError:
        return False


def decision(package: Package) -> dict[str, Any]:
    """What a person decided about which package, as the timeline tells it."""
    facts = {
        "package_arn": package.arn,
        "package_version": package.version,
        "by": package.approved_by,
        "reason": package.approval_reason,
    }
    return {name: value for name, value in facts.items() if value}


def tell_timeline(kind: str, request: Request, settings: Settings, config: ModelConfig, detail: dict[str, Any]) -> None:
    """Write a person's decision into the timeline."""
    timeline.record(clients.s3(), settings.data_bucket, Entry(config.model, kind, request.time, detail))


def tell_people(kind: str, request: Request, settings: Settings, config: ModelConfig, detail: dict[str, Any]) -> None:
    """Write down and send what a person must know of a decision."""
    record_and_tell(desk_of(settings), Entry(config.model, kind, request.time, detail))
