"""What an earlier package needs to serve again at once: its endpoint config, its model, and an approval that still stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from kedge.config.capture_place import is_adopted
from kedge.errors import UnknownPackageError
from kedge.release.way_back import Kept
from lambdas.adapters.release import model_registry


def faults_of(sagemaker: Any, kept: Iterable[Kept]) -> dict[str, str]:
    """By endpoint config, why a package cannot serve again at once; those that can are left out."""
    found = {each.endpoint_config: _fault(sagemaker, each) for each in kept}
    return {config: fault for config, fault in found.items() if fault}


def config_of(sagemaker: Any, name: str) -> dict[str, Any] | None:
    """An endpoint config in SageMaker's words; None where it was deleted."""
    try:
        found: dict[str, Any] = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    return found


def _fault(sagemaker: Any, kept: Kept) -> str:
    version = f"version {kept.package_version}"
    if config_of(sagemaker, kept.endpoint_config) is None:
        return f"{version}: its endpoint config {kept.endpoint_config} was deleted"
    # What was adopted never had a package.
    if is_adopted(kept.package_version):
        return ""
    try:
        status = model_registry.describe_package(sagemaker, kept.package_arn).approval_status
    except UnknownPackageError:
        return f"{version}: its package was deleted from the registry"
    return "" if status == "Approved" else f"{version} is {status} in the registry"
