"""`kedge rollback --now`: the newest change is undone at once; a canary that bakes goes back, else the package before serves again."""

from __future__ import annotations

from dataclasses import dataclass

from cli.operator.deployment import Deployment
from cli.operator.operations import champion_of, settle_now
from cli.refusals import BadInputError
from kedge.errors import WatchedModelError
from kedge.instants import to_text
from kedge.release.way_back import Kept, WayBack, choose, run_name
from lambdas import stage
from lambdas.adapters import executions
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.release import experiments, kept_fleets
from lambdas.adapters.state import under_way
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.under_way import ReleaseUnderWay


@dataclass(frozen=True)
class GoingBack:
    """The execution that goes back, the version that serves at its end, and the one that is left."""

    run: str
    version: str
    left: str
    passed_over: tuple[str, ...]


def go_back_now(deployment: Deployment, model: str, reason: str, *, version: str | None) -> GoingBack:
    """Start it. It waits for no lease: `plan_release` waits until the endpoint can be changed, and sends a canary back."""
    champion_of(deployment, model)
    if settle_now(deployment, model).get("mode") == "watch":
        raise BadInputError(str(WatchedModelError(model=model)))
    champion = champion_of(deployment, model)
    note = under_way.load(deployment.client("dynamodb"), deployment.table, model)
    if note is not None and note.kept is not None:
        raise BadInputError(f"{note.run} is already on its way to version {note.package_version}")
    # While a canary bakes, or a version answers its share in an A/B test, going back means to leave it: the champion still runs. Of a
    # shadow nobody gets the answers, so whoever goes back flees from the champion.
    bakes = note is not None and note.previous_config is not None and not _is_shadow(deployment, model, note)
    tried = note.package_version if note is not None and bakes else None
    way = _way(deployment, model, champion, version, tried=tried)
    if way.kept is None:
        raise BadInputError("; ".join(way.reasons))
    left = tried or champion.package_version
    run = _start(deployment, model, champion, way.kept, reason, left=left)
    return GoingBack(run, way.kept.package_version, left, way.reasons)


def _is_shadow(deployment: Deployment, model: str, note: ReleaseUnderWay) -> bool:
    found = (
        experiments.load(deployment.client("dynamodb"), deployment.table, model, note.run) if note.experiment else None
    )
    return found is not None and found.strategy == "shadow"


def _way(deployment: Deployment, model: str, champion: Champion, version: str | None, *, tried: str | None) -> WayBack:
    if version is None and tried is not None:
        return WayBack(champion.kept, ())
    known = (champion.kept, *champion.earlier) if tried is not None else champion.earlier
    named = [kept for kept in known if version in (None, kept.package_version)]
    if version is not None and not named:
        there = ", ".join(kept.package_version for kept in known) or "none"
        raise BadInputError(
            f"no endpoint config of version {version} is kept below version {champion.package_version} of {model} (kept: {there}); "
            f"leave --now out to release it with a canary"
        )
    return choose(model, named, kept_fleets.faults_of(deployment.client("sagemaker"), named))


def _start(deployment: Deployment, model: str, champion: Champion, kept: Kept, reason: str, *, left: str) -> str:
    stepfunctions, machine, caller = deployment.client("stepfunctions"), deployment.release_machine, deployment.caller
    attempt = 0
    while True:
        run = run_name(stage.current().named(model), kept.package_version, champion.endpoint_config, left, str(attempt))
        status = executions.status(stepfunctions, executions.execution_arn(machine, run))
        if status == "RUNNING":
            raise BadInputError(f"{run} is already on its way to version {kept.package_version}")
        if status is None:
            break
        attempt += 1
    detail = {
        "package_arn": kept.package_arn,
        "package_version": kept.package_version,
        "by": caller.name,
        "reason": f"rollback at once: {reason}",
        "run": run,
    }
    timeline.record(deployment.client("s3"), deployment.bucket, Entry(model, "approved", caller.time, detail))
    back = {"from": left, "to": kept.package_version, "by": caller.name, "reason": reason, "now": "true"}
    request = {
        "model": model,
        "run": run,
        "time": to_text(caller.time),
        "package_arn": kept.package_arn,
        "rollback": back,
    }
    executions.start(stepfunctions, machine, name=run, request=request)
    return run
