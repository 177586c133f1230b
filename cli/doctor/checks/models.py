"""Whether the YAML files, the deployment and the bucket name the same models, and whether each served model is still judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok, warning
from cli.smoke.model import MODEL as SMOKE
from kedge.alerts.ringing import AGE, CAUSES
from kedge.config.model import ModelConfig
from kedge.retraining.state import RetrainingStart
from lambdas.adapters import definitions
from lambdas.adapters.bucket import layout
from lambdas.adapters.models import DEPLOYED
from lambdas.adapters.state import champions, progress, windows
from lambdas.adapters.state.champions import Champion
from lambdas.stage import current
from lambdas.steps.requests import CADENCES

GROUP = "AWS::SageMaker::ModelPackageGroup"
# From here on people are told, too.
JUDGEMENT_AGE_CADENCES_MAX = CAUSES[AGE].at_least


def check(installation: Installation) -> Iterator[Finding]:
    """Compare the lists, then look at each model's champion and its last judgement."""
    for problem in installation.model_files_problems:
        yield failed("models", problem, "kedge models validate")
    deployed = [current().plain(group.physical_id.rpartition("/")[2]) for group in installation.resources(GROUP)]
    if not installation.stacks:
        return
    yield from same_models(deployed, list(installation.models))
    yield from as_they_were_written(installation, deployed)
    dynamodb, table = installation.client("dynamodb"), installation.deployment.table
    for name, config in installation.models.items():
        if name in deployed:
            champion = champions.load(dynamodb, table, name)
            judged = windows.newest_end(dynamodb, table, name)
            found = judgement(config, champion, judged, installation.now)
            starts = windows.load_starts(dynamodb, table, name)
            last = max(starts.values(), key=lambda start: start.time, default=None)
            lately = activity(progress.load_profiled(dynamodb, table, name), last)
            yield replace(found, reason=f"{found.reason}; {lately}") if champion else found


def activity(profiled: datetime | None, started: RetrainingStart | None) -> str:
    """When captures were last counted to the end, and when a retraining last began."""
    counted = (
        f"captures were last counted at {profiled:%Y-%m-%d %H:%M} UTC" if profiled else "no capture was counted yet"
    )
    if started is None:
        return f"{counted}; no retraining was started yet"
    return f"{counted}; the last retraining began at {started.time:%Y-%m-%d %H:%M} UTC ({started.kind})"


def same_models(deployed: list[str], described: list[str]) -> Iterator[Finding]:
    """Models that are deployed without a YAML, and the other way round."""
    for name in sorted({*described} - {*deployed}):
        yield warning(name, f"{name}.yaml is there, and the model is not deployed", "make deploy")
    for name in sorted({*deployed} - {*described}):
        remedy = f"bring {name}.yaml back, or make deploy to have the model's alarms removed"
        yield warning(name, f"the model is deployed, and the folder of the YAML files has no {name}.yaml", remedy)


def as_they_were_written(installation: Installation, deployed: list[str]) -> Iterator[Finding]:
    """Whether the definitions in the bucket are those that the last deployment wrote: the functions follow what lies there."""
    bucket, place = installation.deployment.bucket, f"s3://{installation.deployment.bucket}/{DEPLOYED.prefix}"
    found = definitions.stored(installation.client("s3"), bucket, DEPLOYED)
    remedy = "change any YAML in models/, a comment is enough, and make deploy"
    for name in sorted({*deployed} - found.keys()):
        yield failed(name, f"the model is deployed, and {place}{name}.yaml is gone: nothing is done for it", remedy)
    for name, (_, digest) in found.items():
        if digest is None:
            yield warning(name, f"{place}{name}.yaml is not as the last deployment wrote it", remedy)


def judgement(config: ModelConfig, champion: Champion | None, judged: datetime | None, now: datetime) -> Finding:
    """Whether the model was judged lately, counted in its own cadence."""
    name = config.model
    if champion is None:
        remedy = (
            "kedge smoke, if you want to prove the deployment"
            if name == SMOKE
            else f"kedge adopt {name} --source log"
            if config.source == "log"
            else f"kedge adopt {config.endpoint.name} --model {name}"
            if config.mode == "watch"
            else f'kedge retrain {name} --initial --reason "the first champion", once its rows are at '
            f"{layout.initial_key(name)}"
        )
        return warning(name, "no package serves yet, so there is nothing to watch", remedy)
    last = champion.promoted_at if judged is None else max(champion.promoted_at, judged)
    age = (now - last) / CADENCES[config.cadence.judge]
    told = f"version {champion.package_version} serves since {champion.promoted_at:%Y-%m-%d %H:%M} UTC"
    window = f"the last judged window ends at {judged:%Y-%m-%d %H:%M} UTC" if judged else "no window was judged yet"
    if age >= JUDGEMENT_AGE_CADENCES_MAX:
        remedy = "look at the queues, the schedules and the functions above; kedge history " + name
        return failed(name, f"not judged for {age:.1f} of its cadences ({config.cadence.judge}): {window}", remedy)
    return ok(name, f"{told}; {window}")
