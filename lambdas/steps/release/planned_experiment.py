"""Plan how an approved package is tried beside the champion for days, before the release that every strategy ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kedge.comparisons import counted
from kedge.config.capture_place import capture_place
from kedge.config.model import ModelConfig
from kedge.config.policies import Strategy
from kedge.config.sections import Vpc
from kedge.instants import to_text
from kedge.release.plan import ReleasePlan, plan_release
from lambdas.adapters import clients
from lambdas.adapters.release import experiments, kept_fleets, releases, trials
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.experiments import Experiment
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.release.trials import AbTrial
from lambdas.adapters.state import under_way
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.logs import logger

# Clients get what a version answers in an A/B test, so it is looked at more often.
LOOK_SECONDS: Mapping[Strategy, int] = {"shadow": 3600, "ab": 1800}
# Waiting for instances and an endpoint that is being changed take no longer, beside the days themselves.
NOT_LONGER = timedelta(days=4)


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


def begin(wanted: Wanted, *, table: str, bucket: str, role_arn: str, vpc: Vpc | None) -> dict[str, Any]:
    """Plan how it is tried: note it before anything is changed, and write the requests."""
    config, endpoint, strategy = wanted.config, wanted.endpoint, wanted.config.release.strategy
    plan = plan_release(
        config,
        package_version=wanted.package.version,
        package_arn=wanted.package.arn,
        run=f"{wanted.run}{wanted.mark}-experiment",
        serving=endpoint.fleet,
    )
    serving = kept_fleets.config_of(clients.sagemaker(), endpoint.endpoint_config) or {}
    place = capture_place(config, wanted.champion.package_version, data_bucket=bucket)
    request = releases.trial_config_request(
        plan, serving, instances=endpoint.instances, release=config.release, captures=place.uri
    )
    if request is None:
        return _refused(wanted)
    _note(wanted, plan, table)
    answer = _answer("EXPERIMENT", wanted, plan.endpoint_config, endpoint.endpoint_config, wanted.time)
    words = (ab_in_words if strategy == "ab" else shadow_in_words)(wanted)
    logger.info("planned an experiment", model=config.model, endpoint_config=plan.endpoint_config, strategy=strategy)
    return answer | {
        "create_model": releases.create_model_request(plan, role_arn=role_arn, vpc=vpc),
        "endpoint_config": request,
        "traffic": words,
    }


def shadow_in_words(wanted: Wanted) -> str:
    """How a shadow is tried."""
    policy = wanted.config.release.shadowed
    return (
        f"shadow of {_fleet(wanted)} for {counted(policy.days, 'day')}: it gets a copy of {100 * policy.share:g} % of the requests, and "
        f"nobody gets its answers; version {wanted.champion.package_version} serves on"
    )


def ab_in_words(wanted: Wanted) -> str:
    """How a version answers its share."""
    policy = wanted.config.release.divided
    days, champion = policy.days, wanted.champion.package_version
    return (
        f"A/B test on {_fleet(wanted)} for {days.minimum} to {counted(days.maximum, 'day')}: it answers {100 * policy.share:g} % of the "
        f"requests, and clients get its answers; version {champion} answers the others"
    )


def _fleet(wanted: Wanted) -> str:
    return counted(wanted.config.release.tried_instances(champion=wanted.endpoint.instances), "instance")


def _note(wanted: Wanted, plan: ReleasePlan, table: str) -> None:
    dynamodb, model, release = clients.dynamodb(), wanted.config.model, wanted.config.release
    experiment = Experiment(
        run=wanted.run,
        package_arn=wanted.package.arn,
        package_version=wanted.package.version,
        champion_version=wanted.champion.package_version,
        endpoint_config=plan.endpoint_config,
        previous_config=wanted.endpoint.endpoint_config,
        planned_at=wanted.time,
        strategy=release.strategy,
        share=release.divided.share if release.strategy == "ab" else release.shadowed.share,
    )
    experiments.save(dynamodb, table, model, experiment)
    if experiment.strategy == "ab":
        _note_trial(wanted, table)
    note = ReleaseUnderWay(
        run=wanted.run,
        package_arn=plan.package_arn,
        package_version=plan.package_version,
        endpoint_config=plan.endpoint_config,
        previous_config=wanted.endpoint.endpoint_config,
        alarm_names=(),
        planned_at=wanted.time,
        replaces=wanted.champion.package_version,
    )
    under_way.save(dynamodb, table, model, replace(note, experiment=True))


def _note_trial(wanted: Wanted, table: str) -> None:
    """Note whose captures the variant holds: the version's answers are counted, and find their labels."""
    longest = timedelta(days=wanted.config.release.divided.days.maximum) + NOT_LONGER
    champion = wanted.champion.package_version
    trial = AbTrial(wanted.package.version, champion, since=wanted.time, until=wanted.time + longest)
    trials.begin(clients.dynamodb(), table, wanted.config.model, trial)


def _refused(wanted: Wanted) -> dict[str, Any]:
    reasons = [
        f"release.strategy is {wanted.config.release.strategy}, and the config that serves, {wanted.endpoint.endpoint_config}, is none that "
        "Kedge has made: it cannot be copied with a version beside the champion",
        f"what to do: set release.strategy to canary in {wanted.config.model}.yaml, deploy, and reject and then approve the package; later "
        "releases can be tried so",
    ]
    return {"verdict": "REFUSED", "package_version": wanted.package.version, "reasons": reasons}


def _answer(verdict: str, wanted: Wanted, tried_in: str, previous: str, planned_at: datetime) -> dict[str, Any]:
    name = wanted.endpoint.name
    return {
        "verdict": verdict,
        "strategy": wanted.config.release.strategy,
        "look_seconds": LOOK_SECONDS[wanted.config.release.strategy],
        "package_version": wanted.package.version,
        "planned_at": to_text(planned_at),
        "endpoint_config": {"EndpointConfigName": tried_in},
        "previous_config": previous,
        "update": releases.plain_update_request(name, tried_in, keep_instances=False),
        "end": releases.plain_update_request(name, previous, keep_instances=True),
    }
