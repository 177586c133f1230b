"""SageMaker endpoints: configs, creation, description, deletion; their updates and requests are in files beside this.

The real service provisions instances for minutes and answers a describe call with what it is doing. Imitated: names,
duplicates and unknown resources refused as SageMaker does; Creating, Updating, InService, Failed, Deleting with their
times on the account's clock and their events; a config may be deleted while it is in use. Not imitated: serverless and
asynchronous endpoints (refused), shadow variants (refused), inference components. Autoscaling is what a test asks of
UpdateEndpointWeightsAndCapacities, as Application Auto Scaling does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from offline.sagemaker import runtime as sagemaker_runtime
from offline.sagemaker.api import Described, ValidationError, add_operations, arn, check_name, seeded, tell
from offline.sagemaker.endpoint_fleets import Fleet
from offline.sagemaker.endpoint_policies import check_update
from offline.sagemaker.endpoint_updates import CaptureRule, Update, retained_variants
from offline.sagemaker.storage import DownloadError

EVENT = "SageMaker Endpoint State Change"
CREATE_SECONDS = (240, 420)
SCALE_SECONDS = (120, 300)
DELETE_SECONDS = 60
UPPER = {
    "Creating": "CREATING",
    "InService": "IN_SERVICE",
    "Updating": "UPDATING",
    "Deleting": "DELETING",
    "Failed": "FAILED",
    "OutOfService": "OUT_OF_SERVICE",
}
REFUSED = ("AsyncInferenceConfig", "ShadowProductionVariants", "ExplainerConfig")
WAITS_FOR_THE_END = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def install(account: Any) -> None:
    """Answer SageMaker's operations on endpoints and their configs, and InvokeEndpoint."""
    endpoints = account.endpoints = Endpoints(account)
    add_operations(
        account,
        CreateEndpointConfig=endpoints.create_config,
        DescribeEndpointConfig=lambda request: endpoints.find_config(request["EndpointConfigName"]).response_object,
        DeleteEndpointConfig=endpoints.delete_config,
        CreateEndpoint=endpoints.create,
        DescribeEndpoint=lambda request: endpoints.find(request["EndpointName"]).response_object,
        UpdateEndpoint=endpoints.update,
        UpdateEndpointWeightsAndCapacities=endpoints.scale,
        DeleteEndpoint=endpoints.delete,
    )
    sagemaker_runtime.install(account)


class Endpoints:
    """The account's endpoints and endpoint configs."""

    capture_rule: CaptureRule = "exclusion ignored"

    def __init__(self, account: Any) -> None:
        self.account = account
        self._configs: dict[str, Described] = account.backend("sagemaker").endpoint_configs
        self._known: dict[str, Endpoint] = account.backend("sagemaker").endpoints

    # Configs ------------------------------------------------------------------------------------------------------

    def create_config(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpointConfig."""
        name = request["EndpointConfigName"]
        check_name(name, "endpointConfigName")
        config_arn = arn(self.account, "endpoint-config", name)
        if name in self._configs:
            raise ValidationError(f'Cannot create already existing endpoint configuration "{config_arn}".')
        for key in REFUSED:
            if request.get(key):
                raise ValidationError(f"{key} is not imitated")
        self._check_variants(request["ProductionVariants"])
        document = {key: value for key, value in request.items() if key != "Tags"}
        document |= {"EndpointConfigArn": config_arn, "CreationTime": self.account.clock.now}
        self._configs[name] = Described(config_arn, document, request.get("Tags"))
        return {"EndpointConfigArn": config_arn}

    def _check_variants(self, variants: list[dict[str, Any]]) -> None:
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) != len(names):
            raise ValidationError("Variant names must be unique within an endpoint configuration.")
        for variant in variants:
            check_name(variant["VariantName"], "variantName")
            self.account.sagemaker_models.find(variant["ModelName"])
            if variant.get("ServerlessConfig") or not variant.get("InstanceType"):
                raise ValidationError("only variants with an InstanceType are imitated")
            variant.setdefault("InitialVariantWeight", 1.0)
            variant.setdefault("InitialInstanceCount", 1)

    def find_config(self, name: str) -> Described:
        """Return a config, or refuse as SageMaker does."""
        if name not in self._configs:
            config_arn = arn(self.account, "endpoint-config", name)
            raise ValidationError(f'Could not find endpoint configuration "{config_arn}".')
        return self._configs[name]

    def delete_config(self, request: dict[str, Any]) -> None:
        """Answer DeleteEndpointConfig; SageMaker does not look whether an endpoint uses it."""
        self.find_config(request["EndpointConfigName"])
        del self._configs[request["EndpointConfigName"]]

    # Endpoints ----------------------------------------------------------------------------------------------------

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpoint."""
        name = request["EndpointName"]
        check_name(name, "endpointName")
        if name in self._known:
            existing = arn(self.account, "endpoint", name)
            raise ValidationError(f'Cannot create already existing endpoint "{existing}".')
        if request.get("DeploymentConfig"):
            raise ValidationError("DeploymentConfig of CreateEndpoint is not imitated: give it to UpdateEndpoint")
        config = self.find_config(request["EndpointConfigName"])
        self._require_instances(config.document["ProductionVariants"])
        endpoint = self._known[name] = Endpoint(self.account, name, request.get("Tags"))
        endpoint.create(config)
        return {"EndpointArn": endpoint.arn}

    def _require_instances(self, variants: list[dict[str, Any]]) -> None:
        fleets = [fleet for endpoint in self._known.values() for fleet in (endpoint.fleet, endpoint.green) if fleet]
        for wanted in variants:
            kind = wanted["InstanceType"]
            present = [v.instances for fleet in fleets for v in fleet.variants if v.instance_type == kind]
            self.account.capacity.require("endpoint", kind, int(wanted["InitialInstanceCount"]), present)

    def find(self, name: str) -> Endpoint:
        """Return an endpoint, or refuse as SageMaker does."""
        if name not in self._known:
            raise ValidationError(f'Could not find endpoint "{arn(self.account, "endpoint", name)}".')
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
        check_update(self.account, request, instances=min(fleet.instances, asked))
        self._require_instances(variants)  # the new fleet's, while the old one still serves
        endpoint.update(config, request)
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


class Endpoint(Described):
    """One endpoint: its fleets, its traffic, its state."""

    def __init__(self, account: Any, name: str, tags: list[dict[str, str]] | None) -> None:
        endpoint_arn = arn(account, "endpoint", name)
        document = {"EndpointName": name, "EndpointArn": endpoint_arn, "CreationTime": account.clock.now}
        super().__init__(endpoint_arn, document, tags)
        self.account, self.name = account, name
        self.fleet: Fleet | None = None
        self.green: Fleet | None = None  # the fleet on trial
        self.green_share = 0.0
        self.draw = seeded(account, "traffic", name)

    @property
    def status(self) -> str:
        """SageMaker's word for the endpoint's state."""
        return str(self.document["EndpointStatus"])

    def create(self, config: Described) -> None:
        """Be on the way into service."""
        self.document["EndpointConfigName"] = config.document["EndpointConfigName"]
        self.to("Creating")
        try:
            fleet = Fleet(self.account, self.name, config.document)
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

    def update(self, config: Described, request: dict[str, Any]) -> None:
        """Begin to replace the fleet."""
        Update(self, config, request).begin()

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
        self.document.update(fields, EndpointStatus=status, LastModifiedTime=self.account.clock.now)
        shown = {key: value for key, value in self.response_object.items() if key != "PendingDeploymentSummary"}
        tell(self.account, EVENT, self, {**shown, "EndpointStatus": UPPER[status]})

    def later(self, seconds: tuple[float, float], action: Any) -> Any:
        """Have something happen after a time drawn from a range."""
        delay = timedelta(seconds=round(self.draw.uniform(*seconds)))
        return self.account.clock.call_at(self.account.clock.now + delay, action, self.arn)
