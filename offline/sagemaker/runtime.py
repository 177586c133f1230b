"""InvokeEndpoint: a request finds its fleet and variant, is answered by the container, measured and captured.

The real service routes by traffic share and weight, times a container out after 60 s, and wraps what a container does
wrong into ModelError. Imitated: that, TargetVariant, Accept, InferenceId and CustomAttributes, payloads of at most 25
MB, endpoints that are not there or not in service. boto3's requests are answered before moto sees them, since a replay
makes tens of thousands of them.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from offline.region import Region
from offline.sagemaker.endpoints import Endpoints

EVENT = "before-send.sagemaker-runtime.InvokeEndpoint"
PREFIX = "X-Amzn-SageMaker-"
PAYLOAD_BYTES_MAX = 25 * 1024 * 1024
SERVING = ("InService", "Updating", "SystemUpdating", "RollingBack")
Wire = tuple[int, dict[str, str], bytes]


def install(region: Region, endpoints: Endpoints) -> None:
    """Answer InvokeEndpoint for boto3's clients, and for HTTP."""
    runtime = Runtime(region, endpoints)
    otherwise = BotocoreStubber.__call__

    def stub(stubber: Any, event_name: str, request: Any, **kwargs: Any) -> Any:
        if event_name != EVENT:
            return otherwise(stubber, event_name, request, **kwargs)
        name = unquote(request.url.rsplit("/", 2)[1])
        status, headers, body = runtime.invoke(name, request.headers, _bytes(request.body))
        return AWSResponse(request.url, status, headers, MockRawResponse(body))

    def over_http(response: Any) -> Wire:
        return runtime.invoke(unquote(response.path.split("/")[2]), response.headers, _bytes(response.body))

    region.patch(BotocoreStubber, "__call__", stub)
    region.patch(SageMakerRuntimeResponse, "invoke_endpoint", over_http)


class Runtime:
    """The data plane of the account's endpoints."""

    def __init__(self, region: Region, endpoints: Endpoints) -> None:
        self.region, self.endpoints = region, endpoints

    def invoke(self, name: str, headers: Any, body: bytes) -> Wire:
        """Answer one request as it goes over the wire."""
        endpoint = self.endpoints.get(name)
        if endpoint is None or endpoint.status not in SERVING or endpoint.fleet is None:
            return _error("ValidationError", f"Endpoint {name} of account {self.region.account_id} not found.")
        if len(body) > PAYLOAD_BYTES_MAX:
            return _error("ValidationError", f"The payload is larger than {PAYLOAD_BYTES_MAX} bytes.")
        fleet = endpoint.fleet
        if endpoint.green is not None and endpoint.draw.random() < endpoint.green_share:
            fleet = endpoint.green
        target = _text(headers.get(f"{PREFIX}Target-Variant"))
        variant = fleet.pick(endpoint.draw.random() if len(fleet.variants) > 1 else 0.0, target)
        if variant is None:
            return _error("ValidationError", f"Variant {target} of endpoint {name} not found.")
        ids = (_text(headers.get(f"{PREFIX}Inference-Id")), _text(headers.get(f"{PREFIX}Custom-Attributes")))
        kind, accept = _text(headers.get("Content-Type")) or "", _text(headers.get("Accept")) or ""
        reply = variant.invoke(body, kind, accept, ids)
        if fleet.shadows:
            fleet.mirror(endpoint.draw.random(), (body, kind, accept, ids))
        if reply.status >= 300:
            return self._model_error(name, variant.name, reply)
        answered = {"Content-Type": reply.content_type, "x-Amzn-Invoked-Production-Variant": variant.name}
        return 200, answered, reply.body

    def _model_error(self, endpoint: str, variant: str, reply: Any) -> Wire:
        side = "server" if reply.status >= 500 else "client"
        original = reply.body.decode(errors="replace")
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        page = f"https://{self.region.name}.console.aws.amazon.com/cloudwatch/home#logEventViewer:group={group}"
        message = (
            f'Received {side} error ({reply.status}) from primary with message "{original}". '
            f"See {page} in account {self.region.account_id} for more information."
        )
        stream = f"arn:aws:logs:{self.region.name}:{self.region.account_id}:log-group:{group}"
        more = {"OriginalStatusCode": reply.status, "OriginalMessage": original, "LogStreamArn": stream}
        return _error("ModelError", message, 424, **more)


def _error(code: str, message: str, status: int = 400, **fields: Any) -> Wire:
    body = json.dumps({"Message": message, **fields}).encode()
    return status, {"Content-Type": "application/json", "x-amzn-ErrorType": code}, body


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if body is None or isinstance(body, bytes):
        return body or b""
    return bytes(body) if isinstance(body, bytearray) else bytes(body.read())
