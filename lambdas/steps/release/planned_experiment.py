"""Plan how an approved package is tried beside the champion for days, before the release that every strategy ends with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kedge.config.capture_place import capture_place
from kedge.config.model import ModelConfig
from kedge.instants import to_text
from kedge.release.plan import ReleasePlan, plan_release
from lambdas.adapters import clients
from lambdas.adapters.release import experiments, kept_fleets, releases
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.experiments import Experiment
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import under_way
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.logs import logger


@dataclass(frozen=True)
class Wanted:
    """A package that is to be tried on an endpoint that serves a champion; `mark` tells a later try of the run apart."""

    config: ModelConfig
    run: str
    mark: str
    time: datetime
    package: Package
    endpoint: EndpointState
    champion: Champion


def next_step(wanted: Wanted, table: str) -> dict[str, Any] | None:
    """What is left to do for an experiment that this run has begun already; None where it has none, or where it is proved and over."""
    found = experiments.load(clients.dynamodb(), table, wanted.config.model, wanted.run)
    if found is None:
        return None
    if wanted.endpoint.endpoint_config == found.endpoint_config:
        verdict = "END_EXPERIMENT" if found.is_decided else "EXPERIMENT_RUNS"
        return _answer(verdict, wanted, found.endpoint_config, found.previous_config, found.planned_at)
    if found.verdict == "WITHDRAWN":
        return {"verdict": "EXPERIMENT_OVER", "package_version": wanted.package.version}
    return None


def is_proved(wanted: Wanted, table: str) -> bool:
    """Whether this run has proved its package already: then it is released like any other."""
    found = experiments.load(clients.dynamodb(), table, wanted.config.model, wanted.run)
    return found is not None and found.verdict == "PROVED"


def begin(wanted: Wanted, *, table: str, bucket: str, role_arn: str) -> dict[str, Any]:
    """Plan a shadow: note it before anything is changed, and write the requests."""
    config, endpoint, policy = wanted.config, wanted.endpoint, wanted.config.release.shadowed
    plan = plan_release(
        config,
        package_version=wanted.package.version,
        package_arn=wanted.package.arn,
        run=f"{wanted.run}{wanted.mark}-experiment",
        serving=endpoint.fleet,
    )
    serving = kept_fleets.config_of(clients.sagemaker(), endpoint.endpoint_config) or {}
    place = capture_place(config, wanted.champion.package_version, data_bucket=bucket)
    request = releases.shadowed_config_request(
        plan, serving, instances=endpoint.instances, shadow=policy, captures=place.uri
    )
    if request is None:
        return _refused(wanted)
    _note(wanted, plan, table)
    answer = _answer("EXPERIMENT", wanted, plan.endpoint_config, endpoint.endpoint_config, wanted.time)
    (shadow,) = request["ShadowProductionVariants"]
    instances = shadow["InitialInstanceCount"]
    words = (
        f"shadow of {instances} instance{'s' * (instances != 1)} for {policy.days} day{'s' * (policy.days != 1)}: it gets a copy of "
        f"{100 * policy.share:g} % of the requests, and nobody gets its answers; version {wanted.champion.package_version} serves on"
    )
    logger.info("planned a shadow", model=config.model, endpoint_config=plan.endpoint_config, instances=instances)
    return answer | {
        "create_model": releases.create_model_request(plan, role_arn=role_arn),
        "endpoint_config": request,
        "traffic": words,
    }


def _note(wanted: Wanted, plan: ReleasePlan, table: str) -> None:
    dynamodb, model = clients.dynamodb(), wanted.config.model
    experiment = Experiment(
        run=wanted.run,
        package_arn=wanted.package.arn,
        package_version=wanted.package.version,
        champion_version=wanted.champion.package_version,
        endpoint_config=plan.endpoint_config,
        previous_config=wanted.endpoint.endpoint_config,
        planned_at=wanted.time,
    )
    experiments.save(dynamodb, table, model, experiment)
    release = ReleaseUnderWay(
        run=wanted.run,
        package_arn=plan.package_arn,
        package_version=plan.package_version,
        endpoint_config=plan.endpoint_config,
        previous_config=wanted.endpoint.endpoint_config,
        alarm_names=(),
        planned_at=wanted.time,
        replaces=wanted.champion.package_version,
    )
    under_way.save(dynamodb, table, model, replace(release, experiment=True))


def _refused(wanted: Wanted) -> dict[str, Any]:
    reasons = [
        f"release.strategy is {wanted.config.release.strategy}, and the config that serves, {wanted.endpoint.endpoint_config}, is none that "
        "Kedge has made: it cannot be copied with a shadow behind it",
        f"what to do: set release.strategy to canary in {wanted.config.model}.yaml, deploy, and reject and then approve the package; later "
        "releases can have a shadow",
    ]
    return {"verdict": "REFUSED", "package_version": wanted.package.version, "reasons": reasons}


def _answer(verdict: str, wanted: Wanted, tried_in: str, previous: str, planned_at: datetime) -> dict[str, Any]:
    name = wanted.endpoint.name
    return {
        "verdict": verdict,
        "package_version": wanted.package.version,
        "planned_at": to_text(planned_at),
        "endpoint_config": {"EndpointConfigName": tried_in},
        "previous_config": previous,
        "update": releases.plain_update_request(name, tried_in, keep_instances=False),
        "end": releases.plain_update_request(name, previous, keep_instances=True),
    }
