"""Ask a person about packages that wait for a decision, if nobody was told yet; and find packages that Kedge did not make.

A retraining may register its package and break before it can say so. A package of somebody else's may have come while another
execution held the model's lease. It costs calls, so it runs after an execution that has
ended, once a day, and when a person settles the model.
"""

from __future__ import annotations

from kedge.config.capture_place import registry_number
from kedge.instants import to_text
from lambdas.adapters import clients, queues
from lambdas.adapters.release import approval_requests, model_registry
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import champions, windows
from lambdas.logs import logger
from lambdas.steps.release.foreign_packages import is_foreign
from lambdas.steps.release.settled_release import Bench, tell_once


def tell_waiting(bench: Bench, approvals_queue_url: str) -> None:
    """Tell of each package of Kedge's that is pending, newer than the champion, and untold; no execution may be at work.

    The newest one of somebody else's goes to `start_release`, which knows whether it was gated. What its owners had registered
    before they handed the model over is history.
    """
    champion = champions.load(clients.dynamodb(), bench.desk.table, bench.model)
    newest = registry_number(champion.package_version) if champion else 0
    foreign: dict[int, str] = {}
    for status in ("PendingManualApproval", "Approved"):
        found = model_registry.list_versions(clients.sagemaker(), bench.config.package_group, status)
        for version in sorted(version for version in found if version > newest):
            package = model_registry.describe_package(clients.sagemaker(), found[version])
            if is_foreign(package, bench):
                if champion and (newest or (package.created_at and package.created_at > champion.promoted_at)):
                    foreign[version] = package.arn
            elif status == "PendingManualApproval":
                tell_of(package, bench)
    if foreign:
        body = {"time": to_text(bench.time), "detail": {"ModelPackageArn": foreign[max(foreign)]}}
        queues.send(clients.sqs(), approvals_queue_url, body)


def tell_of(package: Package, bench: Bench) -> None:
    """Tell of one package with what its retraining kept for the approver; what kept nothing is not of Kedge's making."""
    package_arn = package.arn
    what = approval_requests.told_as(package_arn)
    if windows.is_told(clients.dynamodb(), bench.desk.table, bench.model, what):
        return
    run = package.properties.get(model_registry.RUN)
    kept = approval_requests.load(clients.s3(), bench.desk.bucket, bench.model, run) if run else None
    if kept is not None:
        tell_once(what, "package_registered", kept | {"package_arn": package_arn}, bench)
        logger.info("told of a package that waits", model=bench.model, package_version=package.version)
