"""Packages of a model's group that Kedge did not make: gated before anything is released.

Kedge's retrain machine judges such a package as it judges what it trained itself, and registers a copy of it, with the artefact
pinned, the gate's table and a baseline. The copy is what a person approves and what is released.
"""

from __future__ import annotations

from typing import Any

from kedge.config.capture_place import registry_number
from kedge.errors import LeaseHeldError
from kedge.instants import to_text
from kedge.retraining.decision import run_name
from lambdas.adapters import clients, executions, telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.release import model_registry
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import champions, leases, windows
from lambdas.adapters.state.approvals import Approval
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.times import wall_clock
from lambdas.logs import logger
from lambdas.steps.release.decisions import decision
from lambdas.steps.release.settled_release import Bench

KIND = "package"


def is_foreign(package: Package, bench: Bench) -> bool:
    """Whether this package must pass the gate first: Kedge did not make it, and it does not serve.

    One that waits for a decision and is older than what serves is history; one that is approved is somebody's wish.
    """
    if bench.config.mode != "manage" or model_registry.STAGED in package.properties:
        return False
    champion = champions.load(bench.desk.dynamodb, bench.desk.table, bench.model)
    if champion is None or package.approval_status == "Rejected":
        return package.approval_status != "Rejected"
    newer = int(package.version) > registry_number(champion.package_version)
    return champion.package_arn != package.arn and (newer or package.approval_status == "Approved")


def taken_note(package_arn: str) -> str:
    """The note that a retraining has judged this package as its own: the one that its pipeline registered."""
    return f"taken#{package_arn.rpartition('/')[2]}"


def gate_first(package: Package, decided: Approval, bench: Bench, *, machine: str) -> dict[str, Any]:
    """Start the retrain machine with this package in place of a training, once for each decision and each word about its rows.

    While somebody else works on the model nothing is started: `settle` sends it here again after the end of that.
    """
    if windows.is_told(bench.desk.dynamodb, bench.desk.table, bench.model, taken_note(package.arn)):
        return {"verdict": "TAKEN"}
    about = f"{package.arn}#{decided.approvals}#{package.properties.get(model_registry.TRAINING_END, '')}"
    for attempt in range(1, bench.config.retraining.attempts_maximum + 1):
        run = run_name(bench.config.resource_name, KIND, about, attempt)
        execution = executions.execution_arn(machine, run)
        status = executions.status(clients.stepfunctions(), execution)
        if status is None:
            return start(package, run, bench, machine=machine)
        if status not in executions.ENDED_BADLY:
            return {"verdict": "GATED", "run": run}
    return {"verdict": "GIVEN_UP"}


def start(package: Package, run: str, bench: Bench, *, machine: str) -> dict[str, Any]:
    """Take the model's lease, tell people, and start the machine."""
    lease = Lease(executions.execution_arn(machine, run), wall_clock(), "retraining")
    try:
        leases.take(bench.desk.dynamodb, clients.stepfunctions(), bench.desk.table, bench.model, lease)
    except LeaseHeldError as held:
        return {"verdict": "WAITING", "holder": held.holder}
    detail = {**decision(package), "run": run, "status": package.approval_status, "reasons": [reason(package)]}
    telling.tell_once(bench.desk, f"foreign#{run}", Entry(bench.model, "package_found", bench.time, detail))
    trigger = {"kind": KIND, "triggers": [KIND], "reasons": [reason(package)], "package_arn": package.arn}
    request = {"model": bench.model, "run": run, "time": to_text(bench.time), "trigger": trigger}
    executions.start(clients.stepfunctions(), machine, name=run, request=request)
    logger.info("gates a package", model=bench.model, package=package.arn, run=run)
    return {"verdict": "GATES", "run": run}


def reason(package: Package) -> str:
    """Why this package is judged, and what its approval did."""
    said = f"package version {package.version} was registered by somebody else than Kedge"
    if package.approval_status != "Approved":
        return said
    return f"{said} and approved before Kedge had judged it: it is not released as it stands"
