"""An endpoint as others deployed it, and what Kedge cannot watch, each refused in a sentence."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.adopt.capture_switch import capture_request, instances_of
from cli.adopt.known_kinds import refuse_unknown_kinds
from cli.refusals import BadInputError
from kedge.config.capture_place import CapturePlace, split_uri
from kedge.config.sections import Source
from kedge.release.proof import CaptureFound
from lambdas.adapters.release import endpoints

BOTH = {"Input", "Output"}


@dataclass(frozen=True)
class RunningEndpoint:
    """What is known of an endpoint that captures what it is asked and answers.

    Transform jobs stand in the same form: the name, the ARN and the config are then those of one of them, and
    `other_buckets` hold their input and output.
    """

    name: str
    arn: str
    config: str
    variants: tuple[str, ...]
    model_name: str
    capture_uri: str
    sampling_percentage: int
    capture_key: str | None = None
    source: Source = "endpoint"
    other_buckets: tuple[str, ...] = ()

    @property
    def captures(self) -> CapturePlace:
        """Where its captures lie."""
        bucket, prefix = split_uri(self.capture_uri)
        return CapturePlace(bucket, prefix, foreign=True)

    @property
    def variant_prefixes(self) -> tuple[str, ...]:
        """The prefix of each production variant, below which its days are."""
        return tuple(
            "/".join(part for part in (self.captures.prefix, self.name, variant) if part) + "/"
            for variant in self.variants
        )

    @property
    def place(self) -> str:
        """Where its captures lie, for people."""
        return " and ".join(f"s3://{self.captures.bucket}/{prefix}" for prefix in self.variant_prefixes)


def look_at(sagemaker: Any, name: str, *, account: str) -> RunningEndpoint:
    """Describe an endpoint and its config; nothing but describing calls.

    Raises
    ------
    BadInputError
        There is none, or its kind has no captured record that is known, or it captures nothing.
    """
    described = _in_service(sagemaker, name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    refuse_unknown_kinds(sagemaker, name, config)
    capture = _whole_capture(sagemaker, name, config, described, account=account)
    return RunningEndpoint(
        name=name,
        arn=described["EndpointArn"],
        config=described["EndpointConfigName"],
        variants=tuple(variant["VariantName"] for variant in config["ProductionVariants"]),
        model_name=", ".join(variant["ModelName"] for variant in config["ProductionVariants"]),
        capture_uri=capture.destination.rstrip("/"),
        sampling_percentage=capture.sampling_percentage or config["DataCaptureConfig"]["InitialSamplingPercentage"],
        capture_key=(described.get("DataCaptureConfig") or {}).get("KmsKeyId") or None,
    )


def _in_service(sagemaker: Any, name: str) -> Mapping[str, Any]:
    found = endpoints.description_of(sagemaker, name)
    if found is None:
        raise BadInputError(f"no endpoint is called {name!r} in this account and region")
    if found["EndpointStatus"] != "InService":
        raise BadInputError(f"endpoint {name} is {found['EndpointStatus']}; try again when it is InService")
    return found


def _whole_capture(
    sagemaker: Any, name: str, config: Mapping[str, Any], described: Mapping[str, Any], *, account: str
) -> CaptureFound:
    """What is captured; refused where it is nothing, or only one side."""
    capture, running = endpoints.capture_of(described), instances_of(described)
    if capture is None or not capture.running:
        raise BadInputError(_how_to_capture(sagemaker, name, config, running, account=account))
    modes = {option["CaptureMode"] for option in config.get("DataCaptureConfig", {}).get("CaptureOptions", [])}
    if modes and "InputAndOutput" not in modes and not modes >= BOTH:
        raise BadInputError(
            f"endpoint {name} captures only its {'requests' if 'Input' in modes else 'answers'}; Kedge needs both. "
            f"{_how_to_capture(sagemaker, name, config, running, account=account, uri=capture.destination)}"
        )
    return capture


def _how_to_capture(
    sagemaker: Any,
    name: str,
    config: Mapping[str, Any],
    running: Mapping[str, int],
    *,
    account: str,
    uri: str | None = None,
) -> str:
    """The commands that switch Data Capture on: a copied config with a capture section, and nothing else changed."""
    copied = capture_request(sagemaker, config, running, account=account, uri=uri)
    document = shlex.quote(json.dumps(copied, default=str))
    missing = f"endpoint {name} has no Data Capture, so Kedge sees nothing of it. " if uri is None else ""
    return (
        f"{missing}To switch it on (SageMaker starts a whole new fleet; the execution role of the model needs s3:PutObject on "
        f"the destination, which you may change):\n\naws sagemaker create-endpoint-config --cli-input-json {document}\n"
        f"aws sagemaker update-endpoint --endpoint-name {name} --endpoint-config-name {copied['EndpointConfigName']}\n\n"
        f"kedge adopt {name} --enable-capture --apply does the same, waits, and says how to go back. Then adopt it once it has "
        f"answered some requests: kedge adopt {name}"
    )
