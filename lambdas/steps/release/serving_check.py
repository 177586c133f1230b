"""Compare the champion item with the endpoint, follow the endpoint where that is safe, and tell a person once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from kedge.config.capture_place import capture_place, capture_prefix, is_adopted, sampled_percentage
from kedge.errors import ChangedSinceGateError, EndpointVariantsError, UnknownPackageError
from kedge.instants import to_text
from kedge.release.proof import CaptureFound, judge_capture, judge_watched_capture
from kedge.release.serving import (
    AGREED,
    Agreement,
    Served,
    ServingVerdict,
    judge_serving,
    judge_watched,
    several_variants,
)
from lambdas.adapters import clients
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.release import endpoints, model_registry, staged_baselines, trail
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import agreements, champions, windows
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.standing import Standing
from lambdas.adapters.times import wall_clock
from lambdas.adapters.training import artefacts
from lambdas.steps.release.settled_release import Bench, champion_of, tell_once

NOT_DEPLOYED = ServingVerdict("NONE", "not deployed")
# The call comes before the endpoint is modified by it: an update takes half an hour, or longer. A deletion is noticed within the hour.
AROUND, LOOK_BACK = timedelta(hours=3), timedelta(days=7)


def check_serving(endpoint: EndpointState | None, agreement: Agreement | None, bench: Bench) -> ServingVerdict:
    """Judge what serves; a model that was never deployed has nothing to disagree with.

    `agreement` is the last look that found nothing to tell.
    """
    champion = champions.load(clients.dynamodb(), bench.desk.table, bench.model)
    if champion is None:
        return NOT_DEPLOYED
    if bench.config.mode == "watch":
        return check_watched(endpoint, champion, agreement, bench)
    package = package_that_serves(endpoint, champion, bench)
    verdict = judge_serving(
        model=bench.model,
        endpoint=bench.config.endpoint.name,
        champion_config=champion.endpoint_config,
        champion_version=champion.package_version,
        served=served(endpoint, package),
        on_change=bench.config.release.changed_by_hand,
    )
    if endpoint is not None:
        verdict = replace(verdict, since=to_text(endpoint.modified_at))
    if verdict.action == "FOLLOW" and package is not None:
        try:
            install_baseline(package, bench)
        except ChangedSinceGateError as error:
            verdict = replace(verdict, action="TELL", reasons=(verdict.reasons[0], f"it is not followed: {error}"))
    if verdict.action in ("FOLLOW", "TELL", "PUT_BACK", "GO_BACK"):
        tell_change(verdict, champion, endpoint, agreement, bench)
    # After it is told: once the champion item has followed, nothing shows the change any more.
    if verdict.action == "FOLLOW" and endpoint is not None and package is not None:
        tell_capture(endpoint, package, bench)
        follow(endpoint, package, champion, bench)
    note_agreement(verdict, endpoint, agreement, bench)
    return verdict


def check_watched(
    endpoint: EndpointState | None, champion: Champion, agreement: Agreement | None, bench: Bench
) -> ServingVerdict:
    """Judge what serves where others decide about it: what they change is told and followed, and nothing is put back."""
    verdict = judge_watched(
        model=bench.model,
        endpoint=bench.config.endpoint.name,
        known_config=champion.endpoint_config,
        known_version=champion.package_version,
        served=served(endpoint, None),
    )
    if verdict.action in ("FOLLOW", "TELL"):
        tell_change(verdict, champion, endpoint, agreement, bench)
    if endpoint is not None and endpoint.status == "InService":
        tell_watched_capture(endpoint, champion, bench)
    if verdict.action == "FOLLOW" and endpoint is not None:
        model = endpoints.describe_served_model(clients.sagemaker(), endpoint.endpoint_config)
        now = replace(champion, endpoint_config=endpoint.endpoint_config, model_name=model.model_name)
        champions.replace(clients.dynamodb(), bench.desk.table, bench.model, now, before=champion)
    note_agreement(verdict, endpoint, agreement, bench)
    return verdict


def tell_watched_capture(endpoint: EndpointState, champion: Champion, bench: Bench) -> None:
    """Tell where the endpoint's owners let it capture elsewhere than the YAML says, another share, or nothing."""
    place = capture_place(bench.config, champion.package_version, data_bucket=bench.desk.bucket)
    planned = CaptureFound(place.uri, True, sampled_percentage(bench.config, champion.package_version))
    proof = judge_watched_capture(model=bench.model, planned=planned, found=endpoint.capture)
    if proof.verdict == "ASTRAY":
        detail = {
            "package_version": champion.package_version,
            "endpoint_config": endpoint.endpoint_config,
            "mode": "watch",
            "reasons": list(proof.reasons),
        }
        tell_once(f"capture#{endpoint.endpoint_config}#{planned}", "capture_astray", detail, bench)


def note_agreement(
    verdict: ServingVerdict, endpoint: EndpointState | None, before: Agreement | None, bench: Bench
) -> None:
    """Remember what a look saw that found nothing to tell; write down, for who asks later, what else happened to the endpoint."""
    if verdict.state != AGREED or endpoint is None:
        return
    now = Agreement(endpoint.endpoint_config, endpoint.modified_at, seen_at=bench.time, instances=endpoint.instances)
    touched = before and before.touched(
        endpoint=endpoint.name,
        endpoint_config=now.endpoint_config,
        modified_at=now.modified_at,
        instances=endpoint.instances,
    )
    if touched:
        # Its time names it: a second look writes the same entry.
        entry = Entry(bench.model, "endpoint_touched", endpoint.modified_at, {"reasons": [touched]})
        timeline.record(clients.s3(), bench.desk.bucket, entry)
    agreements.save(clients.dynamodb(), bench.desk.table, bench.model, now)


def check_variants(error: EndpointVariantsError, stands: Standing, bench: Bench) -> ServingVerdict:
    """Judge an endpoint that serves several variants: Kedge knows none of them as its own."""
    if stands.champion is None:
        return NOT_DEPLOYED
    verdict = several_variants(
        str(error),
        endpoint=bench.config.endpoint.name,
        champion_config=stands.champion.endpoint_config,
        mode=bench.config.mode,
        on_change=bench.config.release.changed_by_hand,
    )
    tell_change(verdict, stands.champion, None, stands.agreement, bench)
    return verdict


def as_it_was(endpoint: EndpointState | None, stands: Standing, bench: Bench) -> ServingVerdict | None:
    """What was found within the last day, if nothing has happened since; None where all must be looked at."""
    champion, agreement, now_served = stands.champion, stands.agreement, served(endpoint, None)
    if stands.release is not None:
        return None
    if champion is None:
        # What was never released has had no canary either.
        return NOT_DEPLOYED
    if endpoint is None or now_served is None or agreement is None:
        return None
    holds = agreement.holds(
        champion_config=champion.endpoint_config,
        served=now_served,
        modified_at=endpoint.modified_at,
        now=bench.time,
    )
    return ServingVerdict("NONE", AGREED) if holds else None


def tell_capture(endpoint: EndpointState, package: Package, bench: Bench) -> None:
    """Tell where a config that somebody made captures elsewhere than Kedge looks, or not at all."""
    uri = f"s3://{bench.desk.bucket}/{capture_prefix(bench.model, package.version)}"
    proof = judge_capture(config="Kedge", planned=CaptureFound(uri, True), found=endpoint.capture)
    if proof.verdict == "ASTRAY":
        detail = {
            "package_arn": package.arn,
            "package_version": package.version,
            "endpoint_config": endpoint.endpoint_config,
            "destination": uri,
            "reasons": list(proof.reasons),
        }
        tell_once(f"capture#{endpoint.endpoint_config}", "capture_astray", detail, bench)


def package_that_serves(endpoint: EndpointState | None, champion: Champion, bench: Bench) -> Package | None:
    """The version of this model's group that the endpoint's model was made from; None where it is gone."""
    if endpoint is None:
        return None
    # Where a version was tried beside it, the champion serves in a config of both.
    if endpoint.is_tried_on or endpoint.endpoint_config == champion.endpoint_config:
        return registered(champion.package_arn, bench)
    served_model = endpoints.describe_served_model(clients.sagemaker(), endpoint.endpoint_config)
    arn = endpoints.package_of(clients.sagemaker(), served_model.model_name)
    return registered(arn, bench) if arn is not None else None


def registered(arn: str, bench: Bench) -> Package | None:
    """A package of this model's group; None where the registry has deleted it, or it is of another group, or was adopted."""
    if is_adopted(arn.rpartition("/")[2]):
        return None
    try:
        package = model_registry.describe_package(clients.sagemaker(), arn)
    except UnknownPackageError:
        return None
    return package if package.group == bench.config.package_group else None


def served(endpoint: EndpointState | None, package: Package | None) -> Served | None:
    """The endpoint in the words of the verdict."""
    if endpoint is None:
        return None
    return Served(
        status=endpoint.status,
        settled=endpoint.settled,
        endpoint_config=endpoint.endpoint_config,
        failure_reason=endpoint.failure_reason,
        package_arn=package.arn if package else None,
        approval_status=package.approval_status if package else None,
        baseline_kept=package is not None and model_registry.STAGED in package.properties,
        is_tried_on=endpoint.is_tried_on,
    )


def install_baseline(package: Package, bench: Bench) -> None:
    """Put what the package is judged by where the monitor looks; it must be what passed the gate."""
    artefacts.require_unchanged(
        clients.s3(), package.artefact_uri, package.properties.get(model_registry.ARTEFACT_SHA256)
    )
    staged_baselines.install(
        clients.s3(),
        bench.desk.bucket,
        staged=package.properties[model_registry.STAGED],
        sha256=package.properties.get(model_registry.BASELINE_SHA256),
        model=bench.model,
        package_version=package.version,
    )


def follow(endpoint: EndpointState, package: Package, before: Champion, bench: Bench) -> None:
    """Let the champion item name what serves, from when the endpoint was changed on."""
    model = endpoints.describe_served_model(clients.sagemaker(), endpoint.endpoint_config)
    champion = champion_of(
        package,
        before,
        endpoint_config=endpoint.endpoint_config,
        model_name=model.model_name,
        since=endpoint.modified_at,
    )
    champions.replace(clients.dynamodb(), bench.desk.table, bench.model, champion, before=before)


def tell_change(
    verdict: ServingVerdict,
    champion: Champion,
    endpoint: EndpointState | None,
    agreement: Agreement | None,
    bench: Bench,
) -> None:
    """Tell of a disagreement once while it lasts: the champion, the state and the time of the change name it.

    An endpoint that is gone has no such time; the last one that was in order has, and one that comes back has another.
    """
    detail = {"reasons": list(verdict.reasons), "state": verdict.state, "followed": verdict.action == "FOLLOW"}
    detail["mode"] = bench.config.mode
    if endpoint is not None:
        detail["changed_at"] = to_text(endpoint.modified_at)
    since = detail.get("changed_at") or (to_text(agreement.modified_at) if agreement else "")
    what = f"serving#{champion.endpoint_config}#{verdict.state}#{since}"
    # CloudTrail is asked only where there is something to tell: it takes two questions a second.
    if not windows.is_told(clients.dynamodb(), bench.desk.table, bench.model, what):
        tell_once(what, "endpoint_changed", detail | who(endpoint, bench), bench)


def who(endpoint: EndpointState | None, bench: Bench) -> dict[str, str]:
    """Who changed the endpoint, and when, where CloudTrail says it; nothing for a change of long ago."""
    now, changed_at = wall_clock(), endpoint.modified_at if endpoint else None
    since = max(changed_at - AROUND if changed_at else now - LOOK_BACK, now - LOOK_BACK)
    config = endpoint.endpoint_config if endpoint else None
    change = trail.last_change(clients.cloudtrail(), bench.config.endpoint.name, config, since=since, until=now)
    return {"by": change.by, "call": change.call, "changed_at": to_text(change.time)} if change else {}
