"""SageMaker endpoints: configs, creation, description, deletion; their updates and requests are in files beside this.

The real service provisions instances for minutes and answers a describe call with what it is doing. Imitated: names,
duplicates and unknown resources refused as SageMaker does; Creating, Updating, InService, Failed, Deleting with their
times on the account's clock and their events; a config may be deleted while it is in use; one shadow variant behind one
production variant. Not imitated: serverless and asynchronous endpoints (refused), inference components. Autoscaling is what a test asks of
UpdateEndpointWeightsAndCapacities, as Application Auto Scaling does.
"""

from __future__ import annotations

from typing import Any

from offline.alarms.alarms import Alarms
from offline.delivery.events import EventBus
from offline.iam.guard import Guard
from offline.region import Region
from offline.sagemaker.api import Described, ValidationError, add_operations, arn, check_name
from offline.sagemaker.endpoint import Endpoint
from offline.sagemaker.endpoint_fleets import Fleet, Ground
from offline.sagemaker.endpoint_policies import ROLLING, check_update, whole_instances
from offline.sagemaker.endpoint_updates import CaptureRule, Update, retained_variants

REFUSED = ("AsyncInferenceConfig", "ExplainerConfig")
WAITS_FOR_THE_END = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def install(region: Region, endpoints: Endpoints) -> None:
    """Answer SageMaker's operations on endpoints and their configs."""
    add_operations(
        region,
        CreateEndpointConfig=endpoints.create_config,
        DescribeEndpointConfig=lambda request: endpoints.find_config(request["EndpointConfigName"]).response_object,
        DeleteEndpointConfig=endpoints.delete_config,
        CreateEndpoint=endpoints.create,
        DescribeEndpoint=lambda request: endpoints.find(request["EndpointName"]).response_object,
        UpdateEndpoint=endpoints.update,
        UpdateEndpointWeightsAndCapacities=endpoints.scale,
        DeleteEndpoint=endpoints.delete,
    )


class Endpoints:
    """The account's endpoints and endpoint configs."""

    def __init__(self, ground: Ground, guard: Guard, alarms: Alarms, bus: EventBus) -> None:
        self.region, self.ground, self.guard, self.alarms, self.bus = ground.region, ground, guard, alarms, bus
        self.capture_rule: CaptureRule = "exclusion ignored"

    @property
    def _configs(self) -> dict[str, Described]:
        configs: dict[str, Described] = self.region.backend("sagemaker").endpoint_configs
        return configs

    @property
    def _known(self) -> dict[str, Endpoint]:
        known: dict[str, Endpoint] = self.region.backend("sagemaker").endpoints
        return known

    def create_config(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpointConfig."""
        name = request["EndpointConfigName"]
        check_name(name, "endpointConfigName")
        config_arn = arn(self.region, "endpoint-config", name)
        if name in self._configs:
            raise ValidationError(f'Cannot create already existing endpoint configuration "{config_arn}".')
        for key in REFUSED:
            if request.get(key):
                raise ValidationError(f"{key} is not imitated")
        shadows = request.get("ShadowProductionVariants")
        if shadows is not None and (len(shadows), len(request["ProductionVariants"])) != (1, 1):
            raise ValidationError("ShadowProductionVariants takes one variant, beside one of ProductionVariants.")
        self._check_variants([*request["ProductionVariants"], *(shadows or ())])
        if shadows and any(
            v["InstanceType"].startswith("ml.inf1.") for v in (*request["ProductionVariants"], *shadows)
        ):
            raise ValidationError("Shadow variants are not supported for ml.inf1 instances.")
        document = {key: value for key, value in request.items() if key != "Tags"}
        document |= {"EndpointConfigArn": config_arn, "CreationTime": self.region.clock.now}
        self._configs[name] = Described(config_arn, document, request.get("Tags"))
        return {"EndpointConfigArn": config_arn}

    def _check_variants(self, variants: list[dict[str, Any]]) -> None:
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) != len(names):
            raise ValidationError("Variant names must be unique within an endpoint configuration.")
        for variant in variants:
            check_name(variant["VariantName"], "variantName")
            self.ground.models.find(variant["ModelName"])
            if variant.get("ServerlessConfig") or not variant.get("InstanceType"):
                raise ValidationError("only variants with an InstanceType are imitated")
            variant.setdefault("InitialVariantWeight", 1.0)
            variant.setdefault("InitialInstanceCount", 1)

    def find_config(self, name: str) -> Described:
        """Return a config, or refuse as SageMaker does."""
        if name not in self._configs:
            config_arn = arn(self.region, "endpoint-config", name)
            raise ValidationError(f'Could not find endpoint configuration "{config_arn}".')
        return self._configs[name]

    def delete_config(self, request: dict[str, Any]) -> None:
        """Answer DeleteEndpointConfig; SageMaker does not look whether an endpoint uses it."""
        self.find_config(request["EndpointConfigName"])
        del self._configs[request["EndpointConfigName"]]

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpoint."""
        name = request["EndpointName"]
        check_name(name, "endpointName")
        if name in self._known:
            existing = arn(self.region, "endpoint", name)
            raise ValidationError(f'Cannot create already existing endpoint "{existing}".')
        if request.get("DeploymentConfig"):
            raise ValidationError("DeploymentConfig of CreateEndpoint is not imitated: give it to UpdateEndpoint")
        config = self.find_config(request["EndpointConfigName"])
        self._require_instances(all_variants(config))
        endpoint = self._known[name] = Endpoint(self.ground, self.bus, name, request.get("Tags"))
        endpoint.create(config)
        return {"EndpointArn": endpoint.arn}

    def _require_instances(self, variants: list[dict[str, Any]]) -> None:
        fleets = [fleet for endpoint in self._known.values() for fleet in (endpoint.fleet, endpoint.green) if fleet]
        for wanted in variants:
            kind = wanted["InstanceType"]
            present = [v.instances for fleet in fleets for v in fleet.all_variants if v.instance_type == kind]
            self.ground.capacity.require("endpoint", kind, int(wanted["InitialInstanceCount"]), present)

    def find(self, name: str) -> Endpoint:
        """Return an endpoint, or refuse as SageMaker does."""
        if name not in self._known:
            raise ValidationError(f'Could not find endpoint "{arn(self.region, "endpoint", name)}".')
        return self._known[name]

    def get(self, name: str) -> Endpoint | None:
        """Return an endpoint that can be invoked, or None."""
        return self._known.get(name)

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdateEndpoint."""
        endpoint, fleet = self._changeable(request["EndpointName"])
        config = self.find_config(request["EndpointConfigName"])
        variants = retained_variants(fleet, config, request)
        asked = sum(v["InitialInstanceCount"] for v in variants)
        # "The variant's total instance count" may be the old fleet's or the new one's: the smaller one must do.
        least = min(fleet.instances, asked)
        check_update(self.region, self.alarms, request, instances=least, variants=len(variants))
        rolling = (request.get("DeploymentConfig") or {}).get(ROLLING)
        shadows = config.document.get("ShadowProductionVariants") or []
        if request.get("DeploymentConfig") and (shadows or fleet.shadows):
            # Nothing says whether AWS takes this: whoever does without it is right in both cases.
            raise ValidationError(
                "DeploymentConfig beside a shadow variant, before or after the update, is not imitated."
            )
        # The new fleet's, while the old one still serves; of a rolling update one batch.
        if rolling:
            batch = whole_instances(rolling["MaximumBatchSize"], least)
            variants = [variant | {"InitialInstanceCount": batch} for variant in variants]
        self._require_instances([*variants, *shadows])
        Update(endpoint, config, request, self.guard, self.alarms, self.capture_rule).begin()
        return {"EndpointArn": endpoint.arn}

    def scale(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdateEndpointWeightsAndCapacities: the weights of many variants, the instances of one."""
        endpoint, fleet = self._changeable(request["EndpointName"])
        wanted = {item["VariantName"]: item for item in request["DesiredWeightsAndCapacities"]}
        if missing := wanted.keys() - fleet.names:
            raise ValidationError(f'Could not find variant(s) {", ".join(sorted(missing))} of "{endpoint.arn}".')
        if sum("DesiredInstanceCount" in item for item in wanted.values()) > 1:
            raise ValidationError("The capacity of one variant can be changed at a time.")
        endpoint.scale(wanted)
        return {"EndpointArn": endpoint.arn}

    def _changeable(self, name: str) -> tuple[Endpoint, Fleet]:
        endpoint = self.find(name)
        if endpoint.status in WAITS_FOR_THE_END:
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.fleet is None:
            raise ValidationError(f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.status}: delete it.')
        return endpoint, endpoint.fleet

    def delete(self, request: dict[str, Any]) -> None:
        """Answer DeleteEndpoint."""
        endpoint = self.find(request["EndpointName"])
        if endpoint.status in WAITS_FOR_THE_END:
            raise ValidationError(f'Cannot delete in-progress endpoint "{endpoint.arn}".')
        endpoint.delete(lambda: self._known.pop(request["EndpointName"], None))


def all_variants(config: Described) -> list[dict[str, Any]]:
    """Return a config's production variants and its shadow."""
    document = config.document
    return [*document["ProductionVariants"], *(document.get("ShadowProductionVariants") or ())]
