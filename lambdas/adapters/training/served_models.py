"""A model as it serves, and a copy of it under Kedge's own role: a transform job runs as its model's role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from kedge.config.model import ModelConfig
from kedge.errors import UnscorableChampionError
from lambdas.adapters.training.training_jobs import TrainingWorkshop, scoring_network

_UNKNOWN = ("ValidationException", "ResourceNotFound")
# What a copy takes over of a container as it stands; the package and the artefact's place are resolved.
_KEPT = ("ContainerHostname", "Image", "ImageConfig", "Environment")


def copied_model_request(
    sagemaker: Any, workshop: TrainingWorkshop, config: ModelConfig, *, model_name: str, package_arn: str | None = None
) -> dict[str, Any]:
    """Ask for a model of the same containers, all but its name, with Kedge's role: it reads the holdout and writes the answers.

    The copy reaches what the YAML lets the endpoint reach, so the network of the model is left out. Where a package is named,
    its model was deleted with the endpoint, or may be: the copy is made of the package.
    """
    given = [{"ModelPackageName": package_arn}] if package_arn else _containers(sagemaker, model_name)
    containers = [_copied(sagemaker, model_name, definition) for definition in given]
    return {
        "ExecutionRoleArn": workshop.scoring_role_arn,
        "Containers": containers,
    } | scoring_network(config, workshop)


def _containers(sagemaker: Any, model_name: str) -> list[dict[str, Any]]:
    try:
        answer = sagemaker.describe_model(ModelName=model_name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _UNKNOWN:
            raise
        reason = "SageMaker knows it no longer: let the endpoint serve a model that exists"
        raise UnscorableChampionError(model_name=model_name, reason=reason) from error
    return list(answer.get("Containers") or [answer["PrimaryContainer"]])


def _copied(sagemaker: Any, model_name: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    if definition.get("Mode") == "MultiModel":
        reason = "it is a multi-model container: let the endpoint serve the one model by itself"
        raise UnscorableChampionError(model_name=model_name, reason=reason)
    package = _of_package(sagemaker, model_name, definition)
    found = {**package, **definition}
    found["Environment"] = {**package.get("Environment", {}), **definition.get("Environment", {})}
    return {key: found[key] for key in _KEPT if found.get(key)} | _artefact(model_name, found)


def _of_package(sagemaker: Any, model_name: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    # The package itself makes no model once it is rejected; what it serves goes on serving, and is scored.
    name = definition.get("ModelPackageName")
    if not name or definition.get("Image"):
        return {}
    try:
        package = sagemaker.describe_model_package(ModelPackageName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _UNKNOWN:
            raise
        reason = f"the registry no longer has its package {name}: release a version of the group that exists"
        raise UnscorableChampionError(model_name=model_name, reason=reason) from error
    return dict(package["InferenceSpecification"]["Containers"][0])


def _artefact(model_name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    if uri := found.get("ModelDataUrl"):
        return {"ModelDataUrl": uri}
    source = (found.get("ModelDataSource") or {}).get("S3DataSource")
    if source is None:
        return {}  # an image that holds its own model
    if (source["S3DataType"], source["CompressionType"]) == ("S3Object", "Gzip"):
        return {"ModelDataUrl": source["S3Uri"]}
    reason = f"batch transform takes one .tar.gz, and its artefact at {source['S3Uri']} is none: pack it into one"
    raise UnscorableChampionError(model_name=model_name, reason=reason)
