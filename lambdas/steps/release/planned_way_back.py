"""Plan the fast way back: the kept endpoint config takes all traffic again, once nothing else changes the endpoint.

It waits for no lease. A retraining keeps its own, and goes on. A canary that bakes is sent back first, by its own alarm;
its machine settles it. A release that only waits for instances, or has not begun, is overtaken; so is one whose version is
tried beside the champion: the update takes it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kedge.config.model import ModelConfig
from kedge.errors import EndpointBusyError, LeaseHeldError
from kedge.instants import to_text
from kedge.release.plan import endpoint_config_name
from kedge.release.shortage import is_shortage
from kedge.release.way_back import Kept, rollout_back
from lambdas.adapters import clients
from lambdas.adapters.release import canary_traffic, endpoints, kept_fleets, releases
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.state import champions, leases, served, under_way
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.adapters.times import wall_clock
from lambdas.logs import logger


@dataclass(frozen=True)
class Way:
    """One way back: its run and execution, a mark that tells a later try apart, and who wants it and why."""

    config: ModelConfig
    run: str
    mark: str
    execution: str
    time: datetime
    rollback: Mapping[str, str]

    @property
    def model(self) -> str:
        """The model's name."""
        return self.config.model


def plan_way_back(way: Way, package_arn: str, *, table: str) -> dict[str, Any]:
    """Plan it; raises `EndpointBusyError` while something else changes the endpoint or has not been settled yet."""
    dynamodb, sagemaker = clients.dynamodb(), clients.sagemaker()
    note = under_way.load(dynamodb, table, way.model)
    endpoint = endpoints.describe_endpoint(sagemaker, way.config.endpoint.name)
    if endpoint is None:
        return _refused(way, f"endpoint {way.config.endpoint.name} does not exist: there is nothing to go back on")
    give_way(note, endpoint, way)
    champion = champions.load(dynamodb, table, way.model)
    if note is not None and note.run == way.run and endpoint.endpoint_config == note.endpoint_config:
        # An earlier try's answer was lost: the endpoint serves what it should, and only `settle` is left to do.
        return {"verdict": "GONE_BACK", "package_version": note.package_version, "planned_at": to_text(note.planned_at)}
    kept, fault = _wanted(champion, package_arn, endpoint, way)
    if kept is None:
        return _refused(way, fault)
    if kept.endpoint_config == endpoint.endpoint_config:
        return {
            "verdict": "ALREADY_SERVING",
            "package_version": kept.package_version,
            "previous_config": kept.endpoint_config,
        }
    if fault := kept_fleets.faults_of(sagemaker, [kept]).get(kept.endpoint_config, ""):
        return _refused(way, fault)
    return _begin(way, kept, endpoint, champion, table=table)


def give_way(note: ReleaseUnderWay | None, endpoint: EndpointState, way: Way) -> None:
    """Wait until another's change of the endpoint is over and settled; send its canary back meanwhile."""
    another = note if note is not None and note.run != way.run else None
    if not endpoint.settled:
        bakes = another is not None and another.previous_config is not None and not another.experiment
        if another is not None and bakes and another.kept is None:
            canary_traffic.put_gauge(
                clients.cloudwatch(), model=way.model, endpoint_config=another.endpoint_config, value=1
            )
        raise EndpointBusyError(endpoint=endpoint.name, status=endpoint.status)
    if another is None or another.experiment or is_shortage(endpoint.failure_reason):
        return
    untouched = endpoint.endpoint_config == another.previous_config and endpoint.modified_at < another.planned_at
    if not untouched:
        raise EndpointBusyError(endpoint=endpoint.name, status=f"not settled after {another.run}")


def _wanted(champion: Champion | None, package_arn: str, endpoint: EndpointState, way: Way) -> tuple[Kept | None, str]:
    """What is to serve again; or why nothing is."""
    name = f"endpoint {endpoint.name}"
    if endpoint.status != "InService":
        why = endpoint.failure_reason or "SageMaker gives no reason"
        return None, f"{name} is {endpoint.status}, and SageMaker takes no update of it: {why}"
    if champion is None or champion.package_version not in (way.rollback.get("from"), way.rollback.get("to")):
        serves = f"version {champion.package_version}" if champion else "no package"
        return (
            None,
            f"{serves} is the champion now, and it was to be version {way.rollback.get('from')}: nothing was changed",
        )
    found = next((kept for kept in (champion.kept, *champion.earlier) if kept.package_arn == package_arn), None)
    return found, f"nothing is kept of {package_arn}"


def _refused(way: Way, reason: str) -> dict[str, Any]:
    careful = f'to release a version with a canary: kedge rollback {way.model} --to VERSION --reason "why"'
    version = way.rollback.get("to", "")
    return {"verdict": "REFUSED", "package_version": version, "reasons": [reason, careful]}


def _begin(way: Way, kept: Kept, endpoint: EndpointState, champion: Champion | None, *, table: str) -> dict[str, Any]:
    dynamodb = clients.dynamodb()
    copy = _larger_copy(way, kept, endpoint)
    now = replace(kept, endpoint_config=copy["EndpointConfigName"]) if copy else kept
    release = ReleaseUnderWay(
        run=way.run,
        package_arn=kept.package_arn,
        package_version=kept.package_version,
        endpoint_config=now.endpoint_config,
        previous_config=endpoint.endpoint_config,
        alarm_names=(),
        planned_at=way.time,
        rollback=way.rollback,
        replaces=champion.package_version if champion else None,
        kept=now,
    )
    _take_lease(way, table)
    under_way.save(dynamodb, table, way.model, release)
    served.save(dynamodb, table, way.model, kept.package_version, since=way.time)
    rollout = rollout_back(instances=endpoint.instances)
    plain = releases.plain_update_request(endpoint.name, now.endpoint_config, keep_instances=False)
    logger.info("planned the way back", model=way.model, endpoint_config=now.endpoint_config, copied=copy is not None)
    answer = {
        "verdict": "GO_BACK_COPIED" if copy else "GO_BACK",
        "package_version": kept.package_version,
        "planned_at": to_text(way.time),
        "previous_config": endpoint.endpoint_config,
        "endpoint_config": copy or {"EndpointConfigName": now.endpoint_config},
        "update": releases.update_request(endpoint.name, now.endpoint_config, releases.deployment(rollout, alarms=())),
        "traffic": rollout.routing.words,
    }
    # SageMaker may refuse guardrails beside a shadow. Without them all traffic moves at once too.
    return answer | ({"end": plain} if endpoint.is_tried_on else {})


def _take_lease(way: Way, table: str) -> None:
    """Take the lease where it is free, so that nobody settles this release before it has begun."""
    lease = Lease(way.execution, wall_clock(), "rollback")
    try:
        leases.take(clients.dynamodb(), clients.stepfunctions(), table, way.model, lease)
    except LeaseHeldError as held:
        # While that execution runs nobody else settles the model either.
        logger.info("the lease stays with its holder", model=way.model, holder=held.holder)


def _larger_copy(way: Way, kept: Kept, endpoint: EndpointState) -> dict[str, Any] | None:
    """The kept config with the instances that run now, where it names others; None where it may serve as it is.

    Traffic may have grown since it was made: fewer instances than now would be a fault of their own.
    """
    config = kept_fleets.config_of(clients.sagemaker(), kept.endpoint_config) or {}
    variants = config.get("ProductionVariants", [])
    if len(variants) != 1 or variants[0].get("InitialInstanceCount") == endpoint.instances:
        return None
    return releases.config_copy(
        config,
        name=endpoint_config_name(way.config.resource_name, kept.package_version, way.run + way.mark),
        instances=endpoint.instances,
        tags=releases.tags_of(way.model, kept.package_version),
    )
