"""A fleet: the containers behind one endpoint config, and what each of its variants publishes about its requests.

In AWS a fleet is a set of instances per production variant; here each variant is one container, its weight and a number
of instances, of which canaries are a part. A shadow variant gets a copy of a share of the requests: its weight by the
production variant's. Nobody gets its answers, and its failures are nobody's; it captures below its own name, and publishes
its own metrics.
Each request puts AWS/SageMaker's metrics: errors as 0 or 1, latencies in microseconds, by endpoint and variant, and
once more with the endpoint config, by which a canary is told from the fleet that it may replace.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offline.containers.containers import ContainerError, Reply
from offline.metrics.cloudwatch import Metrics
from offline.region import Region
from offline.sagemaker.capacity import SHORT_OF_ENDPOINTS, Capacity
from offline.sagemaker.capture_writer import CaptureSettings, CaptureWriter
from offline.sagemaker.models import Models
from offline.sagemaker.storage import DownloadError, Storage

NAMESPACE = "AWS/SageMaker"
OVERHEAD_MICROSECONDS = (1_200, 4_000)
METRICS = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "OverheadLatency")
COUNT, MICROSECONDS = "Count", "Microseconds"


@dataclass(frozen=True)
class Ground:
    """What fleets stand on: the models that they serve, the instances that there are, and the metrics that they publish."""

    region: Region
    models: Models
    capacity: Capacity
    metrics: Metrics


class Variant:
    """One production variant of a fleet."""

    def __init__(self, ground: Ground, endpoint: str, config: str, settings: Mapping[str, Any], capture: Any) -> None:
        self.ground, self.name = ground, settings["VariantName"]
        self.model = settings["ModelName"]
        self.weight = float(settings.get("InitialVariantWeight", 1.0))
        self.instances = self.desired_instances = int(settings.get("InitialInstanceCount", 1))
        self.instance_type = settings.get("InstanceType", "")
        model = ground.models.find(self.model)
        self.role_arn = model.document["ExecutionRoleArn"]
        self.image = model.container.get("Image", "")
        self.container = ground.models.container(self.model)
        self.capture: CaptureWriter | None = None
        if (wanted := CaptureSettings.of(capture)) is not None:
            storage = Storage(ground.region, ground.models.guard, self.role_arn)
            self.capture = CaptureWriter(storage, wanted, endpoint=endpoint, variant=self.name)
        own = {"EndpointName": endpoint, "VariantName": self.name}
        self._dimensions = (own, {**own, "EndpointConfigName": config})
        self._random = ground.region.seeded("overhead", endpoint, config, self.name)
        self._one_at_a_time = threading.Lock()

    def invoke(self, body: bytes, content_type: str, accept: str, ids: tuple[str | None, str | None]) -> Reply:
        """Answer a request, capture it and publish its metrics."""
        # Clients that ask at the same time wait for the one process that answers; captures and metrics are no place for two either.
        with self._one_at_a_time:
            reply = self.container.invoke(body, content_type, accept)
            if self.capture is not None and reply.status < 300:
                self.capture.capture((content_type, body), (reply.content_type, reply.body), *ids)
            self._publish(reply)
            return reply

    def _publish(self, reply: Reply) -> None:
        values = (
            (METRICS[0], 1, COUNT),
            (METRICS[1], int(400 <= reply.status < 500), COUNT),
            (METRICS[2], int(reply.status >= 500), COUNT),
            (METRICS[3], reply.microseconds, MICROSECONDS),
            (METRICS[4], self._random.randint(*OVERHEAD_MICROSECONDS), MICROSECONDS),
        )
        put = self.ground.metrics.put
        for dimensions in self._dimensions:
            for name, value, unit in values:
                put(NAMESPACE, name, value, dimensions, unit)

    def described(self) -> dict[str, Any]:
        """Return the variant's part of DescribeEndpoint."""
        return {
            "VariantName": self.name,
            "DeployedImages": [{"SpecifiedImage": self.image, "ResolvedImage": self.image}],
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
            "CurrentInstanceCount": self.instances,
            "DesiredInstanceCount": self.desired_instances,
        }


class Fleet:
    """The variants of one endpoint config in service."""

    def __init__(self, ground: Ground, endpoint: str, config: Mapping[str, Any], capture: Any = None) -> None:
        self.ground, self.endpoint = ground, endpoint
        self.config_name = config["EndpointConfigName"]
        self.capture_config = config.get("DataCaptureConfig") if capture is None else capture
        self.variants = [
            Variant(ground, endpoint, self.config_name, settings, self.capture_config)
            for settings in config["ProductionVariants"]
        ]
        self.shadows = [
            Variant(ground, endpoint, self.config_name, settings, self.capture_config)
            for settings in config.get("ShadowProductionVariants") or ()
        ]
        for variant in self.all_variants:
            variant.container.fleets += 1

    @property
    def all_variants(self) -> list[Variant]:
        """The production variants, and the shadow behind them."""
        return [*self.variants, *self.shadows]

    @property
    def instances(self) -> int:
        """How many instances answer requests, of all production variants."""
        return sum(variant.instances for variant in self.variants)

    def mirror(self, draw: float, request: tuple[bytes, str, str, tuple[str | None, str | None]]) -> None:
        """Let the shadow answer a copy, if a number between 0 and 1 falls into its share."""
        for shadow in self.shadows:
            if draw * self.variants[0].weight < shadow.weight:
                shadow.invoke(*request)

    def check_health(self) -> str:
        """Wait until every container answers its ping; return why one does not, or nothing."""
        if short := self.ground.capacity.shortage(f"{self.endpoint}/{self.config_name}", SHORT_OF_ENDPOINTS):
            return str(short)
        for variant in self.all_variants:
            try:
                variant.container.ping()
            except (ContainerError, DownloadError):
                return (
                    f"The primary container for production variant {variant.name} did not pass the ping health check. "
                    "Please check CloudWatch logs for this endpoint."
                )
        return ""

    def release(self) -> None:
        """Give the containers up."""
        for variant in self.all_variants:
            variant.container.fleets -= 1

    def pick(self, draw: float, target: str | None = None) -> Variant | None:
        """Return the variant that a number between 0 and 1 falls on, or the one that was asked for."""
        if target is not None:
            return next((variant for variant in self.variants if variant.name == target), None)
        if len(self.variants) == 1:
            return self.variants[0]
        left = draw * sum(variant.weight for variant in self.variants)
        for variant in self.variants:
            left -= variant.weight
            if left < 0:
                return variant
        return self.variants[-1]

    @property
    def names(self) -> set[str]:
        """The names of the variants."""
        return {variant.name for variant in self.variants}
