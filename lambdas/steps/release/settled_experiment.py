"""Settle a version that was tried beside the champion: what the endpoint serves says whether it is over, and people are told how.

Every step may be run again, as in `settled_release`.
"""

from __future__ import annotations

from typing import Any

from kedge.errors import EndpointBusyError
from kedge.release.proof import ReleaseProof
from kedge.release.shortage import is_shortage
from lambdas.adapters import clients
from lambdas.adapters.release import endpoints, experiments, trials
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.experiments import Experiment
from lambdas.adapters.state import agreements, under_way
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.logs import logger
from lambdas.steps.release.settled_release import Bench, facts, tell_once


def settle_experiment(release: ReleaseUnderWay, bench: Bench, *, tried_again: bool = False) -> ReleaseProof:
    """Bring it to its end; raises `EndpointBusyError` while the endpoint is being changed.

    `tried_again` says that its machine runs: one that is proved is released next, and one that found no instances is tried
    again. Its notes stay until then, so that an answer that was lost is given again.
    """
    dynamodb, table = clients.dynamodb(), bench.desk.table
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), bench.config.endpoint.name)
    if endpoint is not None and not endpoint.settled:
        raise EndpointBusyError(endpoint=endpoint.name, status=endpoint.status)
    experiment = experiments.load(dynamodb, table, bench.model, release.run)
    proof = prove(release, experiment, endpoint, bench, goes_on=tried_again)
    goes_on = tried_again and proof.verdict in ("EXPERIMENT_PROVED", "SHORT")
    if proof.verdict == "EXPERIMENT_PROVED" or (proof.verdict != "UNCHANGED" and not goes_on):
        tell(release, proof, experiment, bench)
    agreements.forget(dynamodb, table, bench.model)
    if proof.verdict != "SHORT" or not goes_on:
        trials.end(dynamodb, table, bench.model, release.package_version, now=bench.time)
    if not goes_on:
        experiments.forget(dynamodb, table, bench.model, release.run)
        under_way.forget(dynamodb, table, bench.model, release.run)
    logger.info("settled", model=bench.model, run=release.run, verdict=proof.verdict, reasons=proof.reasons)
    return proof


def prove(
    release: ReleaseUnderWay,
    experiment: Experiment | None,
    endpoint: EndpointState | None,
    bench: Bench,
    *,
    goes_on: bool,
) -> ReleaseProof:
    """Say how it ended, by what the endpoint serves and what the last look decided."""
    reasons = experiment.reasons if experiment is not None and experiment.is_decided else ()
    table = experiment.table if experiment is not None else ()
    if endpoint is None:
        gone = f"endpoint {bench.config.endpoint.name} does not exist any more"
        return ReleaseProof("WITHDRAWN", (*reasons, gone), False, table)
    short = is_shortage(endpoint.failure_reason)
    if endpoint.endpoint_config == release.endpoint_config:
        why = endpoint.failure_reason or "the update that would have ended it did not take effect"
        left = f"the endpoint still serves {release.endpoint_config}: {why}; Kedge puts {release.previous_config} back within the hour"
        return ReleaseProof("SHORT" if short and goes_on else "WITHDRAWN", (*reasons, left), False, table)
    if endpoint.endpoint_config != release.previous_config:
        by_others = f"somebody else put {endpoint.endpoint_config} into service while version {release.package_version} was tried"
        return ReleaseProof("WITHDRAWN", (*reasons, by_others), False, table)
    if experiment is not None and experiment.is_decided:
        if experiment.verdict == "PROVED" and goes_on:
            return ReleaseProof("EXPERIMENT_PROVED", reasons, False, table)
        ended = ("its release ended before it could go on",) if experiment.verdict == "PROVED" else ()
        return ReleaseProof("WITHDRAWN", (*reasons, *ended), False, table)
    if endpoint.modified_at < release.planned_at:
        return ReleaseProof("UNCHANGED", (f"endpoint {endpoint.name} was not changed",), False)
    why = endpoint.failure_reason or "SageMaker gives no reason: somebody put it back, or the release was stopped"
    serves = f"the endpoint serves {release.previous_config} again: {why}"
    return ReleaseProof("SHORT" if short else "WITHDRAWN", (serves,), False, table)


def tell_overtaken(experiment: Experiment | None, bench: Bench) -> list[str]:
    """Tell of an experiment that another release ended, and forget it; nothing where there is none, or where it is told.

    One that was proved is not told here: what was released after it, is.
    """
    if experiment is None:
        return []
    reasons = ["another release changed the endpoint, and ended it"]
    if experiment.verdict != "PROVED":
        detail = {
            "run": experiment.run,
            "package_arn": experiment.package_arn,
            "package_version": experiment.package_version,
            "endpoint_config": experiment.endpoint_config,
            "previous_config": experiment.previous_config,
            "strategy": experiment.strategy,
        }
        tell_once(
            f"experiment_withdrawn#{experiment.run}",
            "experiment_withdrawn",
            detail
            | {"reasons": [*experiment.reasons, *reasons] if experiment.is_decided else reasons}
            | _table(experiment.table),
            bench,
        )
    trials.end(clients.dynamodb(), bench.desk.table, bench.model, experiment.package_version, now=bench.time)
    experiments.forget(clients.dynamodb(), bench.desk.table, bench.model, experiment.run)
    return reasons


def tell(release: ReleaseUnderWay, proof: ReleaseProof, experiment: Experiment | None, bench: Bench) -> None:
    """Tell how it ended, with the table of the last look."""
    proved = proof.verdict == "EXPERIMENT_PROVED"
    detail = facts(release) | {"reasons": list(proof.reasons)} | _table(proof.table)
    if experiment is not None:
        detail |= {"champion_version": experiment.champion_version, "strategy": experiment.strategy}
    kind = "experiment_proved" if proved else "experiment_withdrawn"
    tell_once(f"{kind}#{release.run}", kind, detail, bench)


def _table(table: Any) -> dict[str, Any]:
    return {"table": [row.to_json() for row in table]} if table else {}
