"""An endpoint as others deployed it, and what Kedge cannot watch, each refused in a sentence."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cli.adopt.answers import answer_attribute
from cli.adopt.capture_switch import capture_request, instances_of, mode_of
from cli.adopt.captured_days import read_days
from cli.adopt.known_kinds import refuse_unknown_kinds
from cli.adopt.running import CapturedRows, Running
from cli.drafts.draft import ModelDraft
from cli.drafts.from_endpoint import FILES_READ, draft_from_endpoint
from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from kedge.capture.payloads import answered_rows, input_rows
from kedge.config.model import ModelConfig
from kedge.config.sections import CaptureMode
from kedge.errors import UnreadableRecordError
from kedge.release.proof import CaptureFound
from lambdas.adapters.bucket import row_objects
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.release import endpoints

# How a person is told which sides are captured.
_SIDES: Mapping[CaptureMode, str] = {
    "InputAndOutput": "",
    "Input": " without their answers",
    "Output": ": the answers alone",
}
LINES_READ = 2000


@dataclass(frozen=True, kw_only=True)
class RunningEndpoint(Running):
    """An endpoint that captures what it is asked and answers."""

    source = "endpoint"
    variants: tuple[str, ...]
    mode: CaptureMode = "InputAndOutput"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefix of each production variant, below which its days are."""
        return tuple(self.captures.of(f"{self.name}/{variant}/") for variant in self.variants)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What a YAML must say to describe it."""
        several = len(self.variants) > 1
        return {
            "endpoint.name": self.name,
            **({} if several else {"endpoint.variant": self.variants[0]}),
            "endpoint.variants": self.variants if several else (),
            "capture.uri": self.capture_uri,
            "capture.sampling_percentage": self.sampling_percentage,
            "capture.mode": self.mode,
        }

    @property
    def told(self) -> Sequence[str]:
        """What serves, and how much of it is captured."""
        return (
            f"endpoint   {self.name} serves {self.model_name} with the config {self.config}",
            f"captures   {self.sampling_percentage} % of the requests{_SIDES[self.mode]}, below {self.capture_uri}",
        )

    def draft(self, deployment: Deployment, model: str, described: Mapping[str, Any]) -> tuple[ModelDraft, list[Any]]:
        """Infer the YAML from the endpoint and its newest captures."""
        draft = draft_from_endpoint(
            deployment, self.name, name=model, described=described, has_requests=self.mode != "Output"
        )
        capture = {"uri": self.capture_uri, "sampling_percentage": self.sampling_percentage}
        capture |= {} if self.mode == "InputAndOutput" else {"mode": self.mode}
        return replace(draft, capture=capture), captured_answers(deployment.client("s3"), self, described)

    def read(self, deployment: Deployment, config: ModelConfig, start: datetime, end: datetime) -> CapturedRows:
        """Read the captures of some days."""
        return read_days(deployment.client("s3"), self, config, start=start, end=end)


def captured_answers(s3: Any, endpoint: RunningEndpoint, described: Mapping[str, Any]) -> list[Any]:
    """Answers of the newest capture files, whatever their layout, or where `described` says that they stand."""
    place = endpoint.captures
    answers: list[Any] = []
    with inference_logs.readable(place):
        keys = [
            key
            for prefix in endpoint.prefixes
            for key in sorted(row_objects.list_sizes(s3, place.bucket, prefix), reverse=True)[:FILES_READ]
        ]
        for block in inference_logs.open_blocks(s3, place.bucket, keys, row_objects.READ_AHEAD_BYTES):
            for line in (line for piece in block.pieces for line in piece.content.split(b"\n") if line.strip()):
                try:
                    found = answered_rows(line, answer_attribute(described))
                    rows = (
                        len(input_rows(line, described.get("features_attribute")))
                        if endpoint.mode == "InputAndOutput"
                        else len(found)
                    )
                except UnreadableRecordError:
                    continue
                # Some containers write all rows' answers on one line.
                on_a_line = len(found) == 1 and isinstance(found[0], list) and len(found[0]) == rows > 1
                answers += found[0] if on_a_line else found
                if len(answers) >= LINES_READ:
                    return answers
    return answers


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
    capture = _running_capture(sagemaker, name, config, described, account=account)
    return RunningEndpoint(
        name=name,
        arn=described["EndpointArn"],
        config=described["EndpointConfigName"],
        variants=tuple(variant["VariantName"] for variant in config["ProductionVariants"]),
        mode=mode_of(config),
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


def _running_capture(
    sagemaker: Any, name: str, config: Mapping[str, Any], described: Mapping[str, Any], *, account: str
) -> CaptureFound:
    """What is captured; refused where it is nothing."""
    capture, running = endpoints.capture_of(described), instances_of(described)
    if capture is None or not capture.running:
        raise BadInputError(_how_to_capture(sagemaker, name, config, running, account=account))
    return capture


def _how_to_capture(
    sagemaker: Any,
    name: str,
    config: Mapping[str, Any],
    running: Mapping[str, int],
    *,
    account: str,
) -> str:
    """The commands that switch Data Capture on: a copied config with a capture section, and nothing else changed."""
    copied = capture_request(sagemaker, config, running, account=account)
    document = shlex.quote(json.dumps(copied, default=str))
    return (
        f"endpoint {name} has no Data Capture, so Kedge sees nothing of it. "
        f"To switch it on (SageMaker starts a whole new fleet; the execution role of the model needs s3:PutObject on "
        f"the destination, which you may change):\n\naws sagemaker create-endpoint-config --cli-input-json {document}\n"
        f"aws sagemaker update-endpoint --endpoint-name {name} --endpoint-config-name {copied['EndpointConfigName']}\n\n"
        f"kedge adopt {name} --enable-capture --apply does the same, waits, and says how to go back. Then adopt it once it has "
        f"answered some requests: kedge adopt {name}"
    )
