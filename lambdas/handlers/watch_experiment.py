"""Watch a version that is tried beside the champion: read what both answered, and say whether it goes on, is proved or goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.errors import UnknownPackageError
from lambdas.adapters import clients
from lambdas.adapters.models import load_model
from lambdas.adapters.release import endpoints, experiments, model_registry
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.experiments import Experiment
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import approvals
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.release import ab_look, shadow_look
from lambdas.steps.release.trial_look import HOUR, LATE, TrialLook, read_on

# No further hour is read when this little time is left.
RESERVE_SECONDS = 180
# An endpoint that does not settle for so long is left to `settle`, which waits for it and tells.
NEVER_SETTLES = timedelta(days=2)
READ_BEHIND = timedelta(days=1)


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


class Request(BaseModel, frozen=True):
    """A run that tries a version."""

    model: str
    run: str
    time: AwareDatetime


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look once: GOING_ON, PROVED, WITHDRAWN, or GONE where the endpoint does not serve both any more."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config, table = load_model(request.model, settings.data_bucket), settings.state_table
    experiment = experiments.load(clients.dynamodb(), table, request.model, request.run)
    if experiment is None:
        return {"verdict": "GONE", "reasons": ["nothing is noted of it: another release has taken its place"]}
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), config.endpoint.name)
    away = gone(endpoint, experiment, request)
    if away is not None:
        return {"verdict": away, "reasons": []}
    if experiment.is_decided:
        # An earlier attempt's answer was lost.
        return {"verdict": experiment.verdict, "reasons": list(experiment.reasons)}
    package = registered(experiment)
    if (word := taken_back(experiment, package, request, table)) is not None:
        seen = replace(experiment, verdict="WITHDRAWN", reasons=(word,))
    else:
        began = experiment.began or (endpoint.modified_at if endpoint else request.time)
        look = TrialLook(config, experiment, began, request.time, settings.data_bucket)
        triggers = package.triggers if package is not None else []
        seen = look_once(look, triggers, lambda: context.get_remaining_time_in_millis() > RESERVE_SECONDS * 1000)
    experiments.save(clients.dynamodb(), table, request.model, seen)
    logger.info("watched", model=request.model, verdict=seen.verdict, reasons=seen.reasons)
    return {"verdict": seen.verdict, "reasons": list(seen.reasons)}


def look_once(look: TrialLook, triggers: list[str], may_go_on: Callable[[], bool]) -> Experiment:
    """Read what is new, and judge all so far."""
    is_ab = look.experiment.strategy == "ab"
    read_until = read_on(look, ab_look.hour_of_both if is_ab else shadow_look.pair_hour, may_go_on)
    # The last hour that counts is read once its captures are there. More than can be read in a day is not waited for.
    whole = read_until + HOUR > look.ends or look.now >= look.ends + READ_BEHIND
    over = look.now >= look.ends + LATE and whole
    found = (
        ab_look.judge(look, days_are_over=over, triggers=triggers)
        if is_ab
        else shadow_look.judge(look, days_are_over=over)
    )
    return replace(
        look.experiment,
        began=look.began,
        read_until=read_until,
        verdict=found.verdict,
        reasons=found.reasons,
        table=found.table,
    )


def gone(endpoint: EndpointState | None, experiment: Experiment, request: Request) -> str | None:
    """GONE if the endpoint does not serve both, GOING_ON while it is being changed; None where there is something to look at."""
    if endpoint is not None and not endpoint.settled:
        longest = experiment.planned_at + timedelta(days=30) + NEVER_SETTLES
        return "GOING_ON" if request.time < longest else "GONE"
    serves_both = (
        endpoint is not None
        and endpoint.status == "InService"
        and endpoint.endpoint_config == experiment.endpoint_config
    )
    return None if serves_both else "GONE"


def registered(experiment: Experiment) -> Package | None:
    """The package that is tried; None where the registry has deleted it."""
    try:
        return model_registry.describe_package(clients.sagemaker(), experiment.package_arn)
    except UnknownPackageError:
        return None


def taken_back(experiment: Experiment, package: Package | None, request: Request, table: str) -> str | None:
    """A sentence if a person decided otherwise meanwhile: against this version, or for another one."""
    version = experiment.package_version
    if package is None:
        return f"version {version} was deleted in the registry"
    if package.approval_status != "Approved":
        by = f" by {package.approved_by}" if package.approved_by else ""
        return f"version {version} is {package.approval_status} in the registry{by}"
    waiting = approvals.load_waiting(clients.dynamodb(), table, request.model)
    if waiting is not None and waiting.package_arn != experiment.package_arn:
        return (
            f"version {waiting.package_version} was approved meanwhile: the newest word wins, and it is released next"
        )
    return None
