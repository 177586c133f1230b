"""SageMaker endpoints as they stand: what serves, with which config, and whether it is changing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from kedge.errors import EndpointVariantsError
from kedge.release.plan import ServingFleet
from kedge.release.proof import CaptureFound


@dataclass(frozen=True)
class EndpointState:
    """An endpoint with exactly one production variant."""

    name: str
    status: str
    endpoint_config: str
    variant: str
    instances: int
    failure_reason: str
    phases: tuple[tuple[str, datetime], ...]
    capture: CaptureFound | None
    modified_at: datetime

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


def describe_endpoint(sagemaker: Any, name: str) -> EndpointState | None:
    """Describe an endpoint; None where none has this name."""
    try:
        answer = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        # SageMaker says "could not find" with this code; nothing else can be wrong with a valid name.
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    config_name = answer.get("EndpointConfigName", "")
    variants = answer.get("ProductionVariants", [])
    if not variants:
        # While an endpoint is being created it has no variants yet: its config knows them.
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config_name)["ProductionVariants"]
    if len(variants) != 1:
        raise EndpointVariantsError(endpoint=name, variants=[variant["VariantName"] for variant in variants])
    return EndpointState(
        name=name,
        status=answer["EndpointStatus"],
        endpoint_config=config_name,
        variant=variants[0]["VariantName"],
        # What runs now: autoscaling changes it, and no config knows.
        instances=variants[0].get("CurrentInstanceCount", 0),
        failure_reason=answer.get("FailureReason", ""),
        phases=_phases(answer),
        capture=capture_of(answer),
        modified_at=answer["LastModifiedTime"],
    )


def take_tag(sagemaker: Any, name: str, tag: str) -> None:
    """Take a tag from an endpoint; one that it has not is no error."""
    arn = sagemaker.describe_endpoint(EndpointName=name)["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=[tag])


def describe_served_model(sagemaker: Any, endpoint_config: str) -> ServedModel:
    """Name the model of a config with one variant, and its capture destination."""
    answer = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint_config)
    return ServedModel(answer["ProductionVariants"][0]["ModelName"], capture_of(answer))


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
