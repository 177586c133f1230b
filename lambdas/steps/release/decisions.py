"""What a person decided about a package, told to those who must know: a rejection, an approval that releases nothing, a late word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.errors import EndpointVariantsError, WatchedModelError
from kedge.instants import to_text
from lambdas.adapters import clients, telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.release import endpoints
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import champions, under_way
from lambdas.adapters.state.champions import Champion
from lambdas.logs import logger
from lambdas.steps.release.settled_release import Bench
from lambdas.steps.release.way_back import Cause, find_way_back, start_way_back


def withhold(package: Package, bench: Bench) -> dict[str, Any]:
    """Tell that an approved package is not released, because its model is only watched."""
    detail = {**decision(package), "reasons": [str(WatchedModelError(model=bench.model))]}
    tell_people("release_withheld", detail, bench)
    return {"verdict": "WATCHED"}


def supersede(bench: Bench, *, older: str, newer: str) -> dict[str, Any]:
    """Tell that an approved version is not released, because a newer word came."""
    reasons = [f"version {newer} was approved after version {older}, and only the newest approval is released"]
    detail = {"package_version": older, "newer_version": newer, "reasons": reasons}
    tell_people("release_superseded", detail, bench)
    return {"verdict": "SUPERSEDED", "newer": newer}


def hear_taken_back(package: Package, bench: Bench, *, back: Mapping[str, Any]) -> dict[str, Any]:
    """Tell of a rejection, or of an approval taken back: a canary goes back by itself; `back` is the way back that was begun."""
    dynamodb, table = bench.desk.dynamodb, bench.desk.table
    champion = serving_champion(package, bench)
    release = under_way.load(dynamodb, table, bench.model)
    # A first endpoint has nothing to go back to: `settle` tells that what serves is rejected.
    canary = release is not None and release.package_arn == package.arn and release.previous_config is not None
    releasing = canary and champion is None
    detail = {**decision(package), "serving": champion is not None, "releasing": releasing, **back}
    if champion is not None and champion.previous_package_arn:
        detail["previous_version"] = champion.previous_package_arn.rpartition("/")[2]
    elif releasing and (before := champions.load(dynamodb, table, bench.model)) is not None:
        detail["previous_version"] = before.package_version
    kind = "rejected" if package.approval_status == "Rejected" else "approval_taken_back"
    # An approval that is taken back is rare, and may be a slip of the hand: it is told wherever the package is.
    if champion is not None or releasing or kind != "rejected":
        tell_people(kind, detail, bench)
    else:
        tell_programs(kind, detail, bench)
    return {
        "verdict": "REJECTED" if kind == "rejected" else "PENDING",
        "serving": champion is not None,
        "releasing": releasing,
        **back,
    }


def go_back_from(package: Package, bench: Bench, *, machine: str) -> dict[str, Any]:
    """Begin the fast way back from what serves and was rejected; nothing where this package does not serve.

    An approval that is only taken back (PendingManualApproval) starts nothing: it may be a slip of the hand.
    """
    champion = serving_champion(package, bench) if package.approval_status == "Rejected" else None
    if champion is None or bench.config.mode == "watch":
        return {}
    way = find_way_back(champion, bench)
    if way.kept is None:
        return {"no_way_back": list(way.reasons)}
    cause = Cause(
        by=package.approved_by or "the Model Registry",
        reason=package.approval_reason or f"version {package.version} was rejected in the registry",
        name=to_text(package.changed_at or bench.time),
    )
    run = start_way_back(way.kept, champion, cause, bench, machine=machine)
    passed = {"passed_over": list(way.reasons)} if way.reasons else {}
    return {"way_back": way.kept.package_version, "run": run, **passed}


def hear_of_absent(package: Package, bench: Bench) -> dict[str, Any]:
    """Tell how a champion whose endpoint was deleted comes back: its approval, given once more, looks like any change of the package.

    A change of its description must start no instances, so nothing is released; a decision is told once.
    """
    what = f"absent#{package.version}#{to_text(package.changed_at or bench.time)}"
    telling.tell_once(
        bench.desk,
        what,
        Entry(
            bench.model, "approved_absent", bench.time, {**decision(package), "endpoint": bench.config.endpoint.name}
        ),
    )
    return {"verdict": "ABSENT"}


def hear_overtaken(told: str | None, package: Package, bench: Bench) -> dict[str, Any]:
    """Tell that a decision was taken back before it was heard: no event tells of a package that is pending again."""
    reason = (
        f"the event said {told}; when it was read, the registry said {package.approval_status}: nothing was changed"
    )
    detail = {**decision(package), "reasons": [reason]}
    tell_people("decision_overtaken", detail, bench)
    logger.info("overtaken", model=bench.model, package=package.arn, told=told, status=package.approval_status)
    return {"verdict": "OVERTAKEN"}


def serving_champion(package: Package, bench: Bench) -> Champion | None:
    """The champion where it is this package, and the endpoint really serves it."""
    champion = champions.load(bench.desk.dynamodb, bench.desk.table, bench.model)
    if champion is None or champion.package_arn != package.arn:
        return None
    try:
        endpoint = endpoints.describe_endpoint(clients.sagemaker(), bench.config.endpoint.name)
    except EndpointVariantsError:
        # With several variants none is the champion; the requested release reports that.
        return None
    if endpoint is None:
        return None
    # Where a version is tried beside it, the champion serves in a config of both.
    return champion if endpoint.is_tried_on or endpoint.endpoint_config == champion.endpoint_config else None


def is_absent_champion(package: Package, bench: Bench) -> bool:
    """Whether this package is the champion of an endpoint that was deleted, and nobody is about to make it again."""
    champion = champions.load(bench.desk.dynamodb, bench.desk.table, bench.model)
    if champion is None or champion.package_arn != package.arn:
        return False
    if under_way.load(bench.desk.dynamodb, bench.desk.table, bench.model) is not None:
        return False
    try:
        return endpoints.describe_endpoint(clients.sagemaker(), bench.config.endpoint.name) is None
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


def tell_programs(kind: str, detail: dict[str, Any], bench: Bench) -> None:
    """Write a person's decision into the timeline, and let pagers know that somebody acts."""
    entry = Entry(bench.model, kind, bench.time, detail)
    telling.record_and_tell(bench.desk, entry, audience=("programs",))


def tell_people(kind: str, detail: dict[str, Any], bench: Bench) -> None:
    """Write down and send what a person must know of a decision."""
    telling.record_and_tell(bench.desk, Entry(bench.model, kind, bench.time, detail))
