"""SageMaker endpoints as they stand: what serves, with which config, and whether it is changing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from kedge.config.policies import is_challenger
from kedge.errors import EndpointVariantsError
from kedge.release.plan import ServingFleet
from kedge.release.proof import CaptureFound


@dataclass(frozen=True)
class EndpointState:
    """An endpoint with one production variant beside which Kedge may try a version, or with the several that a watched model names."""

    name: str
    status: str
    endpoint_config: str
    variant: str
    instances: int
    failure_reason: str
    phases: tuple[tuple[str, datetime], ...]
    capture: CaptureFound | None
    modified_at: datetime
    # Whether a version is tried beside the champion, in the variant that Kedge alone makes.
    is_tried_on: bool = False

    @property
    def settled(self) -> bool:
        """Whether no deployment is under way."""
        return self.status in ("InService", "Failed", "UpdateRollbackFailed", "OutOfService")

    @property
    def fleet(self) -> ServingFleet:
        """What a release would replace."""
        return ServingFleet(self.variant, self.instances)

    def baking_since(self, update_started: datetime) -> datetime | None:
        """When the bake began; None outside of it. Where SageMaker names no phase, the update's start must do."""
        if not self.phases:
            return update_started
        return next((began for phase, began in self.phases if phase == "Baking"), None)


@dataclass(frozen=True)
class ServedModel:
    """What an endpoint config serves, and where its requests are captured."""

    model_name: str
    capture: CaptureFound | None

    @property
    def capture_uri(self) -> str | None:
        """The capture destination; None where nothing is captured."""
        return self.capture.destination if self.capture and self.capture.running else None

    def capture_prefix(self, bucket: str) -> str | None:
        """The capture destination as a prefix of our bucket; None where nothing is captured there."""
        start = f"s3://{bucket}/"
        uri = self.capture_uri or ""
        return uri.removeprefix(start).strip("/") if uri.startswith(start) else None


def describe_endpoint(sagemaker: Any, name: str, *, variants: Sequence[str] = ()) -> EndpointState | None:
    """Describe an endpoint; None where none has this name.

    Parameters
    ----------
    variants : sequence of str
        The production variants that it may have, where these are several; `variant` and `instances` then tell of the first.

    Raises
    ------
    EndpointVariantsError
        It has several production variants, and not these.
    """
    answer = description_of(sagemaker, name)
    if answer is None:
        return None
    config_name = answer.get("EndpointConfigName", "")
    found = answer.get("ProductionVariants", [])
    if not found:
        # While an endpoint is being created it has no variants yet: its config knows them.
        found = sagemaker.describe_endpoint_config(EndpointConfigName=config_name)["ProductionVariants"]
    beside = [variant["VariantName"] for variant in (*found, *answer.get("ShadowProductionVariants", []))]
    # A version that answers its share of the requests, as a production variant of its own, is not what serves.
    found = [variant for variant in found if not is_challenger(variant["VariantName"])]
    names = [variant["VariantName"] for variant in found]
    if len(names) != 1 and {*names} != {*variants}:
        raise EndpointVariantsError(endpoint=name, variants=names)
    return EndpointState(
        name=name,
        status=answer["EndpointStatus"],
        endpoint_config=config_name,
        variant=names[0],
        # What runs now: autoscaling changes it, and no config knows.
        instances=found[0].get("CurrentInstanceCount", 0),
        failure_reason=answer.get("FailureReason", ""),
        phases=_phases(answer),
        capture=capture_of(answer),
        modified_at=answer["LastModifiedTime"],
        is_tried_on=any(is_challenger(variant) for variant in beside),
    )


def description_of(sagemaker: Any, name: str) -> dict[str, Any] | None:
    """An endpoint in SageMaker's words, whatever it serves; None where none has this name."""
    try:
        found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        # SageMaker says "could not find" with this code; nothing else can be wrong with a valid name.
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    return found


@dataclass(frozen=True)
class ListedEndpoint:
    """What a listing tells of an endpoint: enough to see that nothing has happened to it."""

    status: str
    modified_at: datetime


def list_endpoints(sagemaker: Any) -> dict[str, ListedEndpoint]:
    """Every endpoint of the account by its name, a hundred in a call."""
    pages = sagemaker.get_paginator("list_endpoints").paginate(PaginationConfig={"PageSize": 100})
    found = (summary for page in pages for summary in page["Endpoints"])
    return {each["EndpointName"]: ListedEndpoint(each["EndpointStatus"], each["LastModifiedTime"]) for each in found}


def take_tag(sagemaker: Any, name: str, tag: str) -> None:
    """Take a tag from an endpoint; one that it has not is no error."""
    arn = sagemaker.describe_endpoint(EndpointName=name)["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=[tag])


def describe_served_model(sagemaker: Any, endpoint_config: str) -> ServedModel:
    """Name the model of a config, of several variants each one's, and its capture destination."""
    answer = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint_config)
    return ServedModel(", ".join(variant["ModelName"] for variant in answer["ProductionVariants"]), capture_of(answer))


def capture_of(answer: Mapping[str, Any]) -> CaptureFound | None:
    """Read a DataCaptureConfig; only an endpoint's has a CaptureStatus."""
    capture = answer.get("DataCaptureConfig")
    if not capture:
        return None
    running = capture.get("EnableCapture", True) and capture.get("CaptureStatus", "Started") == "Started"
    # An endpoint says what it does now, its config what it began with.
    share = capture.get("CurrentSamplingPercentage", capture.get("InitialSamplingPercentage"))
    return CaptureFound(capture["DestinationS3Uri"], running, share)


def package_of(sagemaker: Any, model_name: str) -> str | None:
    """The package that a model was made from; None where it was made from something else, or is gone."""
    try:
        answer = sagemaker.describe_model(ModelName=model_name)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    container = answer.get("PrimaryContainer") or (answer.get("Containers") or [{}])[0]
    found: str | None = container.get("ModelPackageName")
    return found


def _phases(answer: dict[str, Any]) -> tuple[tuple[str, datetime], ...]:
    pending = answer.get("PendingDeploymentSummary") or {}
    found = [status for variant in pending.get("ProductionVariants", []) for status in variant.get("VariantStatus", [])]
    return tuple((status["Status"], status["StartTime"]) for status in found if "StartTime" in status)
