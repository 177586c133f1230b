"""Data Capture switched on at an endpoint of another team: its config copied with a capture section, and nothing else changed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.adopt.known_kinds import refuse_unknown_kinds
from cli.refusals import BadInputError
from kedge.config.sections import CaptureMode
from lambdas.adapters.release import endpoints

_SUFFIX = "-captured"
_NAME_CHARACTERS = 63
PAUSE_SECONDS, WAITED_SECONDS = 20, 3600


@dataclass(frozen=True)
class CaptureSwitch:
    """The config that would be made, and the one to go back to."""

    endpoint: str
    request: Mapping[str, Any]
    before: str

    @property
    def destination(self) -> str:
        """Where captures will lie."""
        return str(self.request["DataCaptureConfig"]["DestinationS3Uri"])

    @property
    def way_back(self) -> str:
        """The command that puts the config of before into service again."""
        return f"aws sagemaker update-endpoint --endpoint-name {shlex.quote(self.endpoint)} --endpoint-config-name {self.before}"


def capture_request(
    sagemaker: Any, config: Mapping[str, Any], running: Mapping[str, int], *, account: str, uri: str | None = None
) -> dict[str, Any]:
    """The CreateEndpointConfig request: a copy that captures everything.

    `running` are the instances that each variant has now: autoscaling may have changed them since the config was written, and an
    update that retains them would retain the old capture section too.
    """
    known = sagemaker.meta.service_model.operation_model("CreateEndpointConfig").input_shape.members
    copied = {key: value for key, value in config.items() if key in known and value not in (None, [], {})}
    copied["EndpointConfigName"] = f"{config['EndpointConfigName'][: _NAME_CHARACTERS - len(_SUFFIX)]}{_SUFFIX}"
    copied["ProductionVariants"] = [
        {
            **variant,
            "InitialInstanceCount": running.get(variant["VariantName"]) or variant.get("InitialInstanceCount", 1),
        }
        for variant in config["ProductionVariants"]
    ]
    copied["DataCaptureConfig"] = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": uri or f"s3://sagemaker-{sagemaker.meta.region_name}-{account}/data-capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }
    return copied


def instances_of(described: Mapping[str, Any]) -> dict[str, int]:
    """How many instances each production variant runs now."""
    return {each["VariantName"]: each.get("CurrentInstanceCount", 0) for each in described["ProductionVariants"]}


def mode_of(config: Mapping[str, Any]) -> CaptureMode:
    """Which sides an endpoint config captures."""
    modes = {option["CaptureMode"] for option in config.get("DataCaptureConfig", {}).get("CaptureOptions", [])}
    return "Input" if modes == {"Input"} else "Output" if modes == {"Output"} else "InputAndOutput"


def plan_switch(sagemaker: Any, name: str, *, account: str) -> CaptureSwitch:
    """Look at the endpoint, and decide what would be made; nothing is changed.

    Raises
    ------
    BadInputError
        There is none, it is changing, or it captures already.
    """
    found = endpoints.description_of(sagemaker, name)
    if found is None:
        raise BadInputError(f"no endpoint is called {name!r} in this account and region")
    if found["EndpointStatus"] != "InService":
        raise BadInputError(f"endpoint {name} is {found['EndpointStatus']}; try again when it is InService")
    config, capture = (
        sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"]),
        endpoints.capture_of(found),
    )
    refuse_unknown_kinds(sagemaker, name, config)
    if capture is not None and capture.running and mode_of(config) == "InputAndOutput":
        raise BadInputError(f"endpoint {name} captures already, below {capture.destination}; adopt it")
    uri = capture.destination if capture is not None else None
    request = capture_request(sagemaker, config, instances_of(found), account=account, uri=uri)
    own = [
        tag
        for page in sagemaker.get_paginator("list_tags").paginate(ResourceArn=config["EndpointConfigArn"])
        for tag in page["Tags"]
        if not tag["Key"].startswith("aws:")
    ]
    return CaptureSwitch(name, {**request, **({"Tags": own} if own else {})}, config["EndpointConfigName"])


def switch_on(sagemaker: Any, switch: CaptureSwitch, *, pause: Callable[[float], object]) -> None:
    """Make the config, update the endpoint, and wait until it serves and captures.

    Raises
    ------
    BadInputError
        SageMaker went back to the config of before, or the endpoint serves and does not capture.
    """
    sagemaker.create_endpoint_config(**switch.request)
    wanted = switch.request["EndpointConfigName"]
    sagemaker.update_endpoint(EndpointName=switch.endpoint, EndpointConfigName=wanted)
    waited = 0
    while (found := _described(sagemaker, switch.endpoint))["EndpointStatus"] in ("Updating", "SystemUpdating"):
        if waited >= WAITED_SECONDS:
            raise BadInputError(
                f"endpoint {switch.endpoint} is still updating after an hour; look at it, and adopt it once it serves {wanted}. To go "
                f"back: {switch.way_back}"
            )
        pause(PAUSE_SECONDS)
        waited += PAUSE_SECONDS
    if found.get("EndpointConfigName") != wanted or found["EndpointStatus"] != "InService":
        raise BadInputError(
            f"endpoint {switch.endpoint} is {found['EndpointStatus']} with the config {found.get('EndpointConfigName')}: "
            f"{found.get('FailureReason') or 'SageMaker went back to it'}; it may not write to {switch.destination}"
        )
    capture = endpoints.capture_of(found)
    if capture is None or not capture.running:
        raise BadInputError(
            f"endpoint {switch.endpoint} serves {wanted}, but does not capture; to go back: {switch.way_back}"
        )


def _described(sagemaker: Any, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    return answer
