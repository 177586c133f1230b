"""One SageMaker endpoint: its fleet in service, the fleet on trial, and the states that it passes through.

In AWS each state takes minutes and is told as an event. Here the minutes are drawn from the endpoint's name and pass on
the account's clock. `offline.sagemaker.endpoint_updates` replaces the fleet; `offline.sagemaker.endpoints` answers the calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from offline.delivery.events import EventBus
from offline.sagemaker.api import Described, ValidationError, arn, tell
from offline.sagemaker.endpoint_fleets import Fleet, Ground
from offline.sagemaker.storage import DownloadError

EVENT = "SageMaker Endpoint State Change"
CREATE_SECONDS = (240, 420)
SCALE_SECONDS = (120, 300)
DELETE_SECONDS = 60
UPPER = {
    "Creating": "CREATING",
    "InService": "IN_SERVICE",
    "Updating": "UPDATING",
    "SystemUpdating": "SYSTEM_UPDATING",
    "Deleting": "DELETING",
    "Failed": "FAILED",
    "OutOfService": "OUT_OF_SERVICE",
}


class Endpoint(Described):
    """One endpoint: its fleets, its traffic, its state."""

    def __init__(self, ground: Ground, bus: EventBus, name: str, tags: list[dict[str, str]] | None) -> None:
        region = ground.region
        endpoint_arn = arn(region, "endpoint", name)
        document = {"EndpointName": name, "EndpointArn": endpoint_arn, "CreationTime": region.clock.now}
        super().__init__(endpoint_arn, document, tags)
        self.region, self.ground, self.bus, self.name = region, ground, bus, name
        self.fleet: Fleet | None = None
        self.green: Fleet | None = None  # the fleet on trial
        self.green_share = 0.0
        self.draw = region.seeded("traffic", name)

    @property
    def status(self) -> str:
        """SageMaker's word for the endpoint's state."""
        return str(self.document["EndpointStatus"])

    def create(self, config: Described) -> None:
        """Be on the way into service."""
        self.document["EndpointConfigName"] = config.document["EndpointConfigName"]
        self.to("Creating")
        try:
            fleet = Fleet(self.ground, self.name, config.document)
        except (DownloadError, ValidationError) as error:
            failure = f"Failed to download model data: {error}"
            self.later(CREATE_SECONDS, lambda: self.to("Failed", FailureReason=failure))
            return
        self.later(CREATE_SECONDS, lambda: self._created(fleet))

    def _created(self, fleet: Fleet) -> None:
        if reason := fleet.check_health():
            fleet.release()
            self.to("Failed", FailureReason=reason)
            return
        self.fleet = fleet
        self.describe_fleet()
        self.to("InService")

    def scale(self, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Change the fleet's instances and weights; they go on serving meanwhile."""
        if self.fleet is None:
            return
        changed = [variant for variant in self.fleet.variants if variant.name in wanted]
        for variant in changed:
            variant.desired_instances = wanted[variant.name].get("DesiredInstanceCount", variant.instances)
            variant.weight = wanted[variant.name].get("DesiredWeight", variant.weight)
        self.describe_fleet()
        self.to("Updating")

        def done() -> None:
            for variant in changed:
                variant.instances = variant.desired_instances
            self.describe_fleet()
            self.to("InService")

        self.later(SCALE_SECONDS, done)

    def patch(self) -> None:
        """Be patched by SageMaker: the config and the instances stay, and nobody of the account asked for it."""
        self.to("SystemUpdating")
        self.later(SCALE_SECONDS, lambda: self.to("InService"))

    def delete(self, forget: Any) -> None:
        """Be on the way out."""
        self.to("Deleting")
        for fleet in (self.fleet, self.green):
            if fleet is not None:
                fleet.release()
        self.fleet = self.green = None
        self.later((DELETE_SECONDS, DELETE_SECONDS), forget)

    def describe_fleet(self) -> None:
        """Have the describe call tell of the fleet in service."""
        fleet = self.fleet
        if fleet is None:
            return
        self.document["EndpointConfigName"] = fleet.config_name
        self.document["ProductionVariants"] = [variant.described() for variant in fleet.variants]
        self.document.pop("ShadowProductionVariants", None)
        if fleet.shadows:
            self.document["ShadowProductionVariants"] = [variant.described() for variant in fleet.shadows]
        self.document.pop("DataCaptureConfig", None)
        if capture := fleet.capture_config:
            self.document["DataCaptureConfig"] = {
                "EnableCapture": capture.get("EnableCapture", True),
                "CaptureStatus": "Started" if capture.get("EnableCapture", True) else "Stopped",
                "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
                "DestinationS3Uri": capture["DestinationS3Uri"],
                "KmsKeyId": capture.get("KmsKeyId", ""),
            }

    def to(self, status: str, **fields: Any) -> None:
        """Be in a state from now on, and tell."""
        self.document.pop("FailureReason", None)
        self.document.update(fields, EndpointStatus=status, LastModifiedTime=self.region.clock.now)
        shown = {key: value for key, value in self.response_object.items() if key != "PendingDeploymentSummary"}
        tell(self.region, self.bus, EVENT, self, {**shown, "EndpointStatus": UPPER[status]})

    def later(self, seconds: tuple[float, float], action: Any) -> Any:
        """Have something happen after a time drawn from a range."""
        delay = timedelta(seconds=round(self.draw.uniform(*seconds)))
        return self.region.clock.call_at(self.region.clock.now + delay, action, self.arn)
