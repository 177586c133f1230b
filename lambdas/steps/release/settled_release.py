"""Settle a release by what the endpoint serves: champion item, timeline and message, alarms, and the notes about it.

Every step may be run again: a release whose machine was stopped half way is settled by whoever finds its note.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kedge.config.capture_place import is_adopted
from kedge.config.model import ModelConfig
from kedge.errors import EndpointBusyError
from kedge.instants import from_text
from kedge.release.plan import alarm_prefix
from kedge.release.proof import ReleaseProof, ReleaseVerdict, Trial, judge_capture, judge_release
from kedge.release.rung_alarms import RungAlarm
from kedge.release.shortage import is_shortage
from kedge.release.way_back import Kept, kept_after
from lambdas import stage
from lambdas.adapters import clients, telling
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.release import canary_alarms, canary_traffic, endpoints, experiments, model_registry, releases
from lambdas.adapters.release.canary_traffic import FleetName
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import agreements, canary_watch, champions, under_way
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.adapters.telling import Desk
from lambdas.logs import logger


@dataclass(frozen=True)
class Bench:
    """What settling works on: one model, its messages, and the logical time."""

    config: ModelConfig
    desk: Desk
    time: datetime

    @property
    def model(self) -> str:
        """The model's name."""
        return self.config.model


def settle_release(release: ReleaseUnderWay, bench: Bench, *, tried_again: bool = False) -> ReleaseProof:
    """Bring everything in line with what serves now; raises `EndpointBusyError` while the endpoint is being changed.

    `tried_again` says that a machine runs, which waits where no instances were found. It tells of that itself, and its note
    stays until its next plan writes over it: an answer that was lost is given again.
    """
    proof = prove(release, bench)
    champion = None
    if proof.serving:
        champion = switch(release, bench)
        write_down(release, champion, bench)
        if release.previous_config is None:
            # From here on no machine may delete it.
            endpoints.take_tag(clients.sagemaker(), bench.config.endpoint.name, releases.NOT_SERVED)
        tell_astray_capture(release, bench)
    waits = proof.verdict == "SHORT" and tried_again
    if not waits:
        tell(release, proof, champion, bench)
    canary_alarms.delete(clients.cloudwatch(), release.alarm_names)
    canary_watch.forget(clients.dynamodb(), bench.desk.table, bench.model, release.run)
    # What this release did to the endpoint is not to be taken for a touch of somebody else's.
    agreements.forget(clients.dynamodb(), bench.desk.table, bench.model)
    if not waits:
        # What it was tried by before, if it was.
        experiments.forget(clients.dynamodb(), bench.desk.table, bench.model, release.run)
        under_way.forget(clients.dynamodb(), bench.desk.table, bench.model, release.run)
    logger.info("settled", model=bench.model, run=release.run, verdict=proof.verdict, reasons=proof.reasons)
    return proof


def prove(release: ReleaseUnderWay, bench: Bench) -> ReleaseProof:
    """Gather what the endpoint, its metrics and the last look at the canary say."""
    name = bench.config.endpoint.name
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), name)
    if endpoint is None:
        return ReleaseProof("UNCHANGED", (f"endpoint {name} does not exist",), False)
    if not endpoint.settled:
        raise EndpointBusyError(endpoint=name, status=endpoint.status)
    if endpoint.status != "InService":
        why = endpoint.failure_reason or "SageMaker gives no reason"
        # What this release made and never served may be made again; what served before it is left to a person.
        made = release.previous_config is None and endpoint.endpoint_config == release.endpoint_config
        verdict: ReleaseVerdict = "SHORT" if made and endpoint.status == "Failed" and is_shortage(why) else "BROKEN"
        return ReleaseProof(verdict, (f"endpoint {name} is {endpoint.status}: {why}",), False)
    if endpoint.endpoint_config == release.previous_config and endpoint.modified_at < release.planned_at:
        return ReleaseProof("UNCHANGED", (f"endpoint {name} was not changed",), False)
    watch = canary_watch.load(clients.dynamodb(), bench.desk.table, bench.model)
    back = endpoint.endpoint_config != release.endpoint_config
    last = watch.last if watch and watch.run == release.run else None
    proof = judge_release(
        planned=release.endpoint_config,
        before=release.previous_config,
        found=endpoint.endpoint_config,
        failure_reason=endpoint.failure_reason,
        trial=Trial(
            requests=count_requests(release, endpoint, bench),
            minimum_requests=bench.config.canary.minimum_requests,
            watch=last,
            returned=release.kept is not None,
        ),
        rung=which_rang(release, endpoint) if back else (),
    )
    return replace(proof, table=last.table if last else ())


def which_rang(release: ReleaseUnderWay, endpoint: EndpointState) -> tuple[RungAlarm, ...] | None:
    """The rollback alarms that rang before the endpoint was as it is."""
    return canary_alarms.rung(
        clients.cloudwatch(), release.alarm_names, since=release.planned_at, until=endpoint.modified_at
    )


def count_requests(release: ReleaseUnderWay, endpoint: EndpointState, bench: Bench) -> int | None:
    """Count what the new fleet answered; None for a first endpoint, which had no champion to be tried against."""
    if release.previous_config is None:
        return None
    return canary_traffic.count_requests(
        clients.cloudwatch(),
        FleetName(endpoint.name, endpoint.variant, release.endpoint_config),
        start=release.planned_at,
        end=bench.time + timedelta(minutes=1),
    )


def switch(release: ReleaseUnderWay, bench: Bench) -> Champion:
    """Let the champion item name the package that serves: from here on its windows begin."""
    dynamodb, table = clients.dynamodb(), bench.desk.table
    before = champions.load(dynamodb, table, bench.model)
    if release.kept is not None:
        # It served before, perhaps without any package: all that is known of it was kept.
        back = champion_again(release.kept, before, since=bench.time)
        champions.replace(dynamodb, table, bench.model, back, before=before)
        return back
    package = model_registry.describe_package(clients.sagemaker(), release.package_arn)
    # A release names its model like its endpoint config.
    champion = champion_of(
        package,
        before,
        endpoint_config=release.endpoint_config,
        model_name=release.endpoint_config,
        since=bench.time,
    )
    champions.replace(dynamodb, table, bench.model, champion, before=before)
    return champion


def champion_of(
    package: Package, before: Champion | None, *, endpoint_config: str, model_name: str, since: datetime
) -> Champion:
    """Describe the new champion, with the package that it replaces, to which a rollback goes."""
    again = before is not None and before.endpoint_config == endpoint_config
    # A package that comes back to its own endpoint, which was deleted or changed, is not its own predecessor either.
    same = before is not None and before.package_arn == package.arn
    learnt_until = package.properties.get(model_registry.TRAINING_END)
    return Champion(
        package_arn=package.arn,
        package_version=package.version,
        baseline=package.version,
        # A rerun of this step must not move the promotion.
        promoted_at=before.promoted_at if before and again else since,
        training_end=from_text(learnt_until) if learnt_until else None,
        endpoint_config=endpoint_config,
        model_name=model_name,
        previous_package_arn=(before.previous_package_arn if same else before.package_arn) if before else None,
        earlier=kept_after(before.kept, before.earlier, package_arn=package.arn) if before else (),
    )


def champion_again(kept: Kept, before: Champion | None, *, since: datetime) -> Champion:
    """Describe a champion that came back at once; a rerun of this step must not move its return."""
    again = before is not None and before.endpoint_config == kept.endpoint_config
    earlier = kept_after(before.kept, before.earlier, package_arn=kept.package_arn) if before else ()
    return Champion(
        package_arn=kept.package_arn,
        package_version=kept.package_version,
        baseline=kept.baseline,
        promoted_at=before.promoted_at if before and again else since,
        training_end=kept.training_end,
        endpoint_config=kept.endpoint_config,
        model_name=kept.model_name,
        previous_package_arn=earlier[0].package_arn if earlier else None,
        earlier=earlier,
    )


def write_down(release: ReleaseUnderWay, champion: Champion, bench: Bench) -> None:
    """Write the switch into the timeline; run again, it writes the same entry."""
    detail = {**facts(release), "baseline": champion.baseline}
    if champion.previous_package_arn:
        detail["previous_package_arn"] = champion.previous_package_arn
    timeline.record(
        clients.s3(), bench.desk.bucket, Entry(bench.model, "baseline_switched", champion.promoted_at, detail)
    )


def tell_astray_capture(release: ReleaseUnderWay, bench: Bench) -> None:
    """Tell where the endpoint captures elsewhere than its config says: the monitor would be blind to what serves."""
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), bench.config.endpoint.name)
    if endpoint is None:
        return
    planned = endpoints.describe_served_model(clients.sagemaker(), endpoint.endpoint_config).capture
    proof = judge_capture(config=endpoint.endpoint_config, planned=planned, found=endpoint.capture)
    if proof.verdict == "ASTRAY":
        tell_once(f"capture#{release.run}", "capture_astray", {**facts(release), "reasons": list(proof.reasons)}, bench)


def tell_once(what: str, kind: str, detail: dict[str, Any], bench: Bench, *, entered: bool = False) -> None:
    """Write it down, unless it was `entered` already, and tell it, unless that was done."""
    telling.tell_once(bench.desk, what, Entry(bench.model, kind, bench.time, detail), entered=entered)


def tell(release: ReleaseUnderWay, proof: ReleaseProof, champion: Champion | None, bench: Bench) -> None:
    """Tell how the release ended; a first endpoint had no canary, and what was never changed is told by its failure."""
    late = too_late(champion) if champion is not None else {}
    if proof.verdict == "PROMOTED" and release.previous_config is None:
        first = {**facts(release), **late, "endpoint": bench.config.endpoint.name}
        if release.replaces is not None:
            first["replaces"] = release.replaces
        tell_once(f"settled#{release.run}", "baseline_switched", first, bench, entered=True)
        return
    detail = {**facts(release), **late, "reasons": list(proof.reasons)}
    if proof.table:
        detail["table"] = [row.to_json() for row in proof.table]
    if proof.verdict in ("BROKEN", "SHORT"):
        detail |= {"machine": "kedge-release", "state": "the endpoint", "error": "EndpointFailedError"}
        detail |= {"cause": "; ".join(proof.reasons)}
    kind = KINDS.get(proof.verdict)
    if kind is None:
        return
    if proof.verdict in ("UNPROVEN", "OVERTAKEN"):
        detail |= {"serving": proof.serving, "overtaken": proof.verdict == "OVERTAKEN"}
    # Of a machine that ended while it waited for instances its end is told; this is what it waited for.
    what = "failed" if proof.verdict == "SHORT" else "settled"
    tell_once(f"{what}#{release.run}", kind, detail, bench)


def too_late(champion: Champion) -> dict[str, Any]:
    """What a person decided against the version that serves now, in the last minutes of its bake; nothing where it is approved.

    Read after the champion item names it: whoever decides later is answered by `start_release` that it serves.
    """
    if is_adopted(champion.package_version):
        return {}
    package = model_registry.describe_package(clients.sagemaker(), champion.package_arn)
    if package.approval_status == "Approved":
        return {}
    previous = (champion.previous_package_arn or "").rpartition("/")[2]
    found = {
        "approval_status": package.approval_status,
        "by": package.approved_by,
        "reason": package.approval_reason,
        "previous_version": previous,
    }
    return {"too_late": {name: value for name, value in found.items() if value}}


KINDS = {
    "PROMOTED": "canary_promoted",
    "ROLLED_BACK": "canary_rolled_back",
    "UNPROVEN": "release_unproven",
    "OVERTAKEN": "release_unproven",
    "BROKEN": "failed",
    "SHORT": "failed",
}


def facts(release: ReleaseUnderWay) -> dict[str, Any]:
    """The release as the timeline tells it."""
    found: dict[str, Any] = {
        "run": release.run,
        "package_arn": release.package_arn,
        "package_version": release.package_version,
        "endpoint_config": release.endpoint_config,
        "alarms": alarm_prefix(stage.current(), release.endpoint_config),
    }
    found |= {"rollback": dict(release.rollback)} if release.rollback else {}
    return found | ({"previous_config": release.previous_config} if release.previous_config else {})
