"""Start the fast way back: the newest kept package that can serve takes all traffic at once."""

from __future__ import annotations

from dataclasses import dataclass

from kedge.instants import to_text
from kedge.release.way_back import Kept, WayBack, choose, run_name
from lambdas.adapters import clients, executions
from lambdas.adapters.release import kept_fleets
from lambdas.adapters.state.champions import Champion
from lambdas.logs import logger
from lambdas.steps.release.settled_release import Bench


def find_way_back(champion: Champion, bench: Bench) -> WayBack:
    """The package that came before what serves, if one of those that are kept can still serve."""
    return choose(bench.model, champion.earlier, kept_fleets.faults_of(clients.sagemaker(), champion.earlier))


@dataclass(frozen=True)
class Cause:
    """Who goes back and why, and by what the same cause is known when it comes again."""

    by: str
    reason: str
    name: str


def start_way_back(kept: Kept, champion: Champion, cause: Cause, bench: Bench, *, machine: str) -> str:
    """Start it, once for each cause, and name its run; `plan_release` waits until nothing else changes the endpoint."""
    run = run_name(bench.config.resource_name, kept.package_version, champion.endpoint_config, cause.name)
    back = {
        "from": champion.package_version,
        "to": kept.package_version,
        "by": cause.by,
        "reason": cause.reason,
        "now": "true",
    }
    time = to_text(bench.time)
    request = {"model": bench.model, "run": run, "time": time, "package_arn": kept.package_arn, "rollback": back}
    started = executions.start(clients.stepfunctions(), machine, name=run, request=request)
    logger.info("goes back", model=bench.model, run=run, started=started)
    return run
