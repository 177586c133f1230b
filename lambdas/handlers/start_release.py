"""Start the release of a package that a person approved; hear of one that a person rejected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ValidationError, WrapValidator

from kedge.config.model import ModelConfig
from kedge.errors import (
    LeaseHeldError,
    RegistryBehindError,
    UnknownPackageError,
)
from kedge.instants import to_text
from kedge.release.approval_order import Reading, is_decided_anew, judge_reading
from kedge.release.two_people import people_after, what_is_missing
from kedge.release.way_back import WayBack
from lambdas.adapters import clients, executions
from lambdas.adapters.models import find_deployed, load_models
from lambdas.adapters.release import model_registry
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import approvals, champions, leases, under_way
from lambdas.adapters.state.approvals import Approval, Waiting
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.telling import desk_of
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.release.decisions import (
    decision,
    go_back_from,
    hear_of_absent,
    hear_overtaken,
    hear_taken_back,
    is_absent_champion,
    serving_champion,
    supersede,
    tell_people,
    tell_programs,
    withhold,
)
from lambdas.steps.release.foreign_packages import gate_first, is_foreign
from lambdas.steps.release.settled_release import Bench, tell_once
from lambdas.steps.release.way_back import Cause, find_way_back, start_way_back


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    release_machine_arn: str
    retrain_machine_arn: str
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
    # SageMaker does not always say which; without them any change may be a decision.
    UpdatedModelPackageFields: tuple[str, ...] | None = None

    @property
    def shows_stage(self) -> bool:
        """Whether this tells of nothing but a stage of the package's life, as Kedge shows it itself."""
        fields = set(self.UpdatedModelPackageFields or ())
        return "ModelLifeCycle" in fields and not fields & {"ModelApprovalStatus", "ApprovalDescription"}


class Back(BaseModel, frozen=True):
    """A way back that Kedge itself wants, and for what cause it begins only once; `same` says that the champion is put back."""

    model: str
    by: str
    reason: str
    cause: str
    same: bool = False


class BackWanted(BaseModel, frozen=True):
    """What `settle` and `measure_performance` put into the approvals queue."""

    time: AwareDatetime
    back: Back


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
    """Act on what the registry says now, once for each time a person decided; or begin a way back that Kedge wants."""
    settings, body = Settings.from_environment(), event["Records"][0]["body"]
    if "back" in json.loads(body):
        return go_back(BackWanted.model_validate_json(body), settings)
    request = Request.from_event(event)
    return {"verdict": "STAGE_SHOWN"} if request.detail.shows_stage else hear(request, settings)


def hear(request: Request, settings: Settings) -> dict[str, Any]:
    """Hear of a change in the registry, by what the registry says now."""
    try:
        package = model_registry.describe_package(clients.sagemaker(), request.detail.ModelPackageArn)
    except UnknownPackageError:
        # SageMaker tells of a deletion as of any change, with the status that the package had.
        return hear_deletion(request.detail.ModelPackageArn, settings)
    models = load_models(settings.data_bucket).values()
    config = next((config for config in models if config.package_group == package.group), None)
    if config is None:
        return {"verdict": "NOT_OURS"}
    if request.reading(package) == "BEHIND":
        # Back into the queue, before a status that is out of date is remembered.
        told = request.detail.ModelApprovalStatus or ""
        raise RegistryBehindError(package_arn=package.arn, told=told, found=package.approval_status)
    bench = Bench(config, desk_of(settings), request.time)
    known = approvals.load(bench.desk.dynamodb, bench.desk.table, config.model, package.version)
    if is_foreign(package, bench):
        return hear_of_foreign(request, package, known, bench, machine=settings.retrain_machine_arn)
    heard = hear_person(package, known, bench) if needs_people(package, config) else known
    if isinstance(heard, dict):
        return heard
    # The last word that was wanted is the approval: what was heard before releases nothing.
    return decide(request, package, heard, bench, machine=settings.release_machine_arn)


def hear_of_foreign(
    request: Request, package: Package, known: Approval, bench: Bench, *, machine: str
) -> dict[str, Any]:
    """Have a package that Kedge did not make pass the gate, anew with each approval; its approval releases nothing."""
    approved = package.approval_status == "Approved"
    anew = approved and (known.status != "Approved" or request.tells_of_another(package, known))
    decided = Approval(package.approval_status, known.approvals + anew, package.changed_at or request.time)
    answer = gate_first(package, decided, bench, machine=machine)
    if answer["verdict"] != "WAITING":
        # Remembered last: a crash before this line finds the execution by its name.
        approvals.save(bench.desk.dynamodb, bench.desk.table, bench.model, package.version, decided)
    return answer


def decide(request: Request, package: Package, known: Approval, bench: Bench, *, machine: str) -> dict[str, Any]:
    """Act on a decision, unless it was acted on already."""
    decided, waits = known, is_waiting(package, bench)
    if known.status == package.approval_status and not waits and not request.tells_of_another(package, known):
        return hear_again(request, package, known, bench, machine=machine)
    if not waits:
        approved = package.approval_status == "Approved"
        decided = Approval(
            package.approval_status,
            known.approvals + approved,
            package.changed_at or request.time,
            known.people if approved else (),
            known.comment,
        )
    return act(package, known, decided, bench, machine=machine)


def needs_people(package: Package, config: ModelConfig) -> bool:
    """Whether this approval counts only once several people have given it."""
    return config.approval.approvers > 1 and package.approval_status == "Approved" and config.mode != "watch"


def go_back(wanted: BackWanted, settings: Settings) -> dict[str, Any]:
    """Begin a way back that the YAML wants of Kedge: a promise was broken, or the endpoint was changed by hand."""
    config, back = find_deployed(wanted.back.model, settings.data_bucket), wanted.back
    if config is None or config.mode == "watch":
        return {"verdict": "NOT_OURS"}
    bench = Bench(config, desk_of(settings), wanted.time)
    champion = champions.load(bench.desk.dynamodb, bench.desk.table, bench.model)
    if champion is None:
        return {"verdict": "NOT_DEPLOYED"}
    way = WayBack(champion.kept, ()) if back.same else find_way_back(champion, bench)
    if way.kept is None:
        reasons = [back.reason, *way.reasons]
        detail = {"package_version": champion.package_version, "reasons": reasons}
        tell_once(f"no way back#{champion.endpoint_config}#{back.cause}", "release_refused", detail, bench)
        return {"verdict": "NO_WAY_BACK", "reasons": reasons}
    cause = Cause(by=back.by, reason=back.reason, name=back.cause)
    run = start_way_back(way.kept, champion, cause, bench, machine=settings.release_machine_arn)
    return {"verdict": "GOES_BACK", "run": run, "version": way.kept.package_version}


def hear_person(package: Package, known: Approval, bench: Bench) -> Approval | dict[str, Any]:
    """Count the people who approved: the answer while too few have, else what was decided before the last one's word."""
    wanted = bench.config.approval.approvers
    if len(known.people) >= wanted:
        return known
    first = known.status != "Approved"
    later = known.decided_at is None or (package.changed_at or bench.time) > known.decided_at
    is_new_word = first or (later and package.approval_reason != known.comment)
    people = people_after(known.people, person=package.changed_by, is_new_word=is_new_word)
    missing = what_is_missing(people, wanted)
    if not missing:
        return replace(known, status="PendingManualApproval", people=people)
    if first or people != known.people:
        at = package.changed_at or bench.time
        detail = {**decision(package), "reasons": [missing]}
        tell_once(f"second approval#{package.version}#{to_text(at)}", "second_approval_awaited", detail, bench)
        heard = Approval("Approved", known.approvals, at, people, package.approval_reason)
        approvals.save(bench.desk.dynamodb, bench.desk.table, bench.model, package.version, heard)
    return {"verdict": "AWAITS_SECOND", "people": list(people)}


def is_waiting(package: Package, bench: Bench) -> bool:
    """Whether this package is approved and waits until nobody works on its model."""
    waiting = approvals.load_waiting(bench.desk.dynamodb, bench.desk.table, bench.model)
    return waiting is not None and waiting.package_arn == package.arn and package.approval_status == "Approved"


def act(package: Package, known: Approval, decided: Approval, bench: Bench, *, machine: str) -> dict[str, Any]:
    """Act on a decision that is new or that has waited, and remember it; `known` is the one before."""
    answer: dict[str, Any] = {"verdict": "PENDING"}
    if package.approval_status == "Approved" and bench.config.mode == "watch":
        answer = withhold(package, bench)
    elif package.approval_status == "Approved":
        answer = release(package, decided, bench, machine=machine)
    elif known.status == "Approved" or package.approval_status == "Rejected":
        answer = hear_taken_back(package, bench, back=go_back_from(package, bench, machine=machine))
    if answer["verdict"] != "WAITING":
        # For every other answer: a package that still waited would be answered again every hour.
        approvals.forget_waiting(bench.desk.dynamodb, bench.desk.table, bench.model, package.arn)
    logger.info("heard", model=bench.model, package=package.arn, status=package.approval_status, **answer)
    # Remembered last: a crash before this line repeats the start, which its name makes harmless.
    approvals.save(bench.desk.dynamodb, bench.desk.table, bench.model, package.version, decided)
    return answer


def hear_again(request: Request, package: Package, known: Approval, bench: Bench, *, machine: str) -> dict[str, Any]:
    """Hear of a package whose status was acted on already: mostly a metadata stamp, or the same decision told twice."""
    if request.reading(package) == "OVERTAKEN" and package.approval_status == "PendingManualApproval":
        return hear_overtaken(request.detail.ModelApprovalStatus, package, bench)
    changed = known.decided_at is None or (package.changed_at or bench.time) > known.decided_at
    if package.approval_status == "Approved" and changed and is_absent_champion(package, bench):
        return hear_of_absent(package, bench)
    # It may have been rejected in the last minutes of its bake: once it serves, `settle` sends it here.
    return {"verdict": "ALREADY_HEARD", **go_back_from(package, bench, machine=machine)}


def release_name(package: Package, decided: Approval) -> str:
    """Name an execution by package and approval: the same approval starts the same execution."""
    digest = hashlib.sha256(f"{package.arn}#{decided.approvals}".encode()).hexdigest()[:12]
    return f"{package.group}-v{package.version}-release-{digest}"[:80]


def release(package: Package, decided: Approval, bench: Bench, *, machine: str) -> dict[str, Any]:
    """Take the model's lease for the execution that is about to start, write the approval down, then start it.

    While somebody else works on the model the package waits; of several, the one that was approved last.
    """
    if serving_champion(package, bench) is not None:
        reasons = [f"version {package.version} serves already: nothing was changed"]
        tell_people("approved", {**decision(package), "reasons": reasons}, bench)
        return {"verdict": "ALREADY_SERVING"}
    if (newer := approved_later(package, decided, bench)) is not None:
        return supersede(bench, older=package.version, newer=newer)
    run, dynamodb, table = release_name(package, decided), bench.desk.dynamodb, bench.desk.table
    unsettled = under_way.load(dynamodb, table, bench.model)
    if unsettled is not None and unsettled.run != run:
        # Its note says what may have been changed: a new release would write over it.
        return wait(package, decided, bench, holder=unsettled.run)
    holder = executions.execution_arn(machine, run)
    try:
        lease = Lease(holder, wall_clock(), "release")
        leases.take(dynamodb, clients.stepfunctions(), table, bench.model, lease)
    except LeaseHeldError as held:
        return wait(package, decided, bench, holder=held.holder)
    tell_programs("approved", {**decision(package), "run": run}, bench)
    started = executions.start(
        clients.stepfunctions(),
        machine,
        name=run,
        request={"model": bench.model, "run": run, "time": to_text(bench.time), "package_arn": package.arn},
    )
    return {"verdict": "STARTED" if started else "ALREADY_STARTED", "run": run}


def approved_later(package: Package, decided: Approval, bench: Bench) -> str | None:
    """The version that a person approved after this one, and that waits or serves: the newest word wins."""
    dynamodb, table = bench.desk.dynamodb, bench.desk.table
    if decided.decided_at is None:
        return None
    waiting = approvals.load_waiting(dynamodb, table, bench.model)
    if waiting is not None and waiting.package_arn != package.arn and waiting.decided_at > decided.decided_at:
        return waiting.package_version
    champion = champions.load(dynamodb, table, bench.model)
    if champion is None or champion.package_arn == package.arn:
        return None
    served = approvals.load(dynamodb, table, bench.model, champion.package_version)
    later = served.decided_at is not None and served.decided_at > decided.decided_at
    return champion.package_version if later else None


def wait(package: Package, decided: Approval, bench: Bench, *, holder: str) -> dict[str, Any]:
    """Let the package wait for the end of what works on its model; `settle` sends it here again then."""
    mine = Waiting(package.arn, package.version, decided.decided_at or bench.time)
    newest, older = approvals.wait(bench.desk.dynamodb, bench.desk.table, bench.model, mine)
    if older is not None:
        answer = supersede(bench, older=older.package_version, newer=newest.package_version)
        if newest != mine:
            return answer
    return {"verdict": "WAITING", "holder": holder}


def hear_deletion(package_arn: str, settings: Settings) -> dict[str, Any]:
    """Forget a deleted package that waits; its group stands in its ARN."""
    group = package_arn.split("/")[-2]
    for config in load_models(settings.data_bucket).values():
        if config.package_group == group:
            approvals.forget_waiting(clients.dynamodb(), settings.state_table, config.model, package_arn)
    return {"verdict": "DELETED"}
