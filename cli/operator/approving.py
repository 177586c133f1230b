"""A person's approval in their own name: the first one of a package, or the second where its model wants two."""

from __future__ import annotations

from botocore.exceptions import ClientError

from cli.operator.deployment import Deployment
from cli.operator.every_model import find_known
from cli.refusals import BadInputError
from kedge.errors import UnknownPackageError
from lambdas.adapters.release import model_registry


def approve(deployment: Deployment, model: str, version: str, comment: str) -> str:
    """Approve a version in the registry, and say what follows."""
    config = find_known(deployment, model)
    if config is None:
        raise BadInputError(f"no deployed YAML describes {model!r}; is it spelt as in models/?")
    sagemaker = deployment.client("sagemaker")
    listed = {
        str(number): arn
        for status in ("PendingManualApproval", "Approved")
        for number, arn in model_registry.list_versions(sagemaker, config.package_group, status).items()
    }
    if version not in listed:
        known = ", ".join(sorted(listed, key=int, reverse=True)) or "none"
        raise BadInputError(f"no version {version} of {model} can be approved; there are: {known}")
    try:
        before = model_registry.describe_package(sagemaker, listed[version])
        # Two people may give one comment: the name makes it a word of its own.
        model_registry.approve(sagemaker, before.arn, f"{deployment.caller.name}: {comment}")
    except (UnknownPackageError, ClientError) as error:
        raise BadInputError(f"version {version} of {model} was not approved: {error}") from error
    two = config.approval.approvers > 1
    follows = (
        "it is released once two people have approved it; if you are the first, ask another person for the same command"
        if two
        else "its release starts"
    )
    return f"version {before.version} of {model} is approved in your name; {follows}. `kedge history {model}` shows it"
