"""Ask a person about packages that wait for a decision, if nobody was told yet.

A retraining may register its package and break before it can say so. It costs calls, so it runs after an execution that has
ended, once a day, and when a person settles the model.
"""

from __future__ import annotations

from kedge.config.capture_place import registry_number
from lambdas.adapters import clients
from lambdas.adapters.release import approval_requests, model_registry
from lambdas.adapters.state import champions, windows
from lambdas.logs import logger
from lambdas.steps.release.settled_release import Bench, tell_once


def tell_waiting(bench: Bench) -> None:
    """Tell of each package of Kedge's that is pending, newer than the champion, and untold; no execution may be at work."""
    champion = champions.load(clients.dynamodb(), bench.desk.table, bench.model)
    pending = model_registry.list_versions(clients.sagemaker(), bench.config.package_group, "PendingManualApproval")
    newest = registry_number(champion.package_version) if champion else 0
    newer = [arn for version, arn in pending.items() if version > newest]
    for arn in reversed(newer):
        tell_of(arn, bench)


def tell_of(package_arn: str, bench: Bench) -> None:
    """Tell of one package with what its retraining kept for the approver; what kept nothing is not of Kedge's making."""
    what = approval_requests.told_as(package_arn)
    if windows.is_told(clients.dynamodb(), bench.desk.table, bench.model, what):
        return
    package = model_registry.describe_package(clients.sagemaker(), package_arn)
    run = package.properties.get(model_registry.RUN)
    kept = approval_requests.load(clients.s3(), bench.desk.bucket, bench.model, run) if run else None
    if kept is not None:
        tell_once(what, "package_registered", kept | {"package_arn": package_arn}, bench)
        logger.info("told of a package that waits", model=bench.model, package_version=package.version)
