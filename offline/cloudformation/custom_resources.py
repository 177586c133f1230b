"""AWS::CloudFormation::CustomResource and Custom::*: a function makes, changes and deletes the resource.

CloudFormation hands the function an event (asynchronously, so Lambda may try again), every scalar of its properties as text, and waits
for an answer that is put to an address in S3, signed for one PUT of a body of at most 4,096 bytes without a content type. Imitated:
all of that, by a server on this machine that is there while the first attempt runs. Nothing takes any time, so a function
that has not answered by then never will. A resource whose making failed is deleted in the rollback, and an update that
answers another physical id is a replacement. ServiceToken cannot change. Topics (SNS) as a ServiceToken are not imitated.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import quote

from moto.moto_api._internal import mock_random

from offline.cloudformation.resource_type import HalfMadeError, Made, Making, ResourceType, refuse
from offline.functions.events import FunctionEvents

ANSWER_BYTES_MAX, ID_BYTES_MAX = 4096, 1024
SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=7200&X-Amz-SignedHeaders=host&X-Amz-Signature="
SILENCE = (
    "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [{}]. If you are using "
    "the Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version."
)


class NoAnswerError(ValueError):
    """The function said nothing, or nothing that CloudFormation understands."""


class _Address(BaseHTTPRequestHandler):
    """The one object that may be put, by whoever has its address."""

    def do_PUT(self) -> None:  # http.server's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # What was signed is this address, for no content type: S3 refuses any other request.
        signed = self.path == self.server.place and not self.headers.get("Content-Type")  # type: ignore[attr-defined]
        if signed:
            self.server.answers.append(body)  # type: ignore[attr-defined]
        self.send_response(200 if signed else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_said: object) -> None: ...


@contextmanager
def _address(object_key: str) -> Iterator[tuple[str, list[bytes]]]:
    """Give an address, and what is put there."""
    with HTTPServer(("127.0.0.1", 0), _Address) as server:
        answers: list[bytes] = []
        signature = mock_random.uuid4().hex
        server.place = f"/{quote(object_key, safe='')}?{SIGNED}{signature}"  # type: ignore[attr-defined]
        server.answers = answers  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{server.place}", answers  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def _ask(making: Making, request: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Have the function do it, and return what it answered."""
    if "ServiceToken" not in properties:
        raise ValueError("ServiceToken is required")
    account, region = making.region.account_id, making.region.name
    stack = f"arn:aws:cloudformation:{region}:{account}:stack/{making.stack}/offline"
    asked = {
        "RequestType": request,
        "StackId": stack,
        "RequestId": str(mock_random.uuid4()),
        "LogicalResourceId": making.logical_id,
        "ResourceType": making.kind,
        "ResourceProperties": _as_text(properties),
        **more,
    }
    with _address(f"{stack}|{making.logical_id}|{asked['RequestId']}") as (url, answers):
        events = FunctionEvents(making.region, making.functions)
        events.invoke_now(properties["ServiceToken"], {**asked, "ResponseURL": url})
    if not answers:
        raise NoAnswerError(SILENCE.format(asked["RequestId"]))
    answer = _understood(answers[0], asked)
    if answer["Status"] == "FAILED":
        said = f"Message returned: {answer['Reason']} (RequestId: {asked['RequestId']})"
        raise HalfMadeError(
            answer["PhysicalResourceId"], f"Received response status [FAILED] from custom resource. {said}"
        )
    return answer


def _understood(body: bytes, asked: dict[str, Any]) -> dict[str, Any]:
    if len(body) > ANSWER_BYTES_MAX:
        raise NoAnswerError("Response object is too long.")
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise NoAnswerError("Invalid Response object: it is no JSON") from error
    repeated = ("StackId", "RequestId", "LogicalResourceId")
    if strange := [name for name in repeated if answer.get(name) != asked[name]]:
        raise NoAnswerError(f"Invalid Response object: {strange[0]} is not that of the request")
    if answer.get("Status") not in ("SUCCESS", "FAILED"):
        raise NoAnswerError(f"Invalid Response object: {answer.get('Status')!r} is not a valid ResponseStatus")
    physical = answer.get("PhysicalResourceId")
    if not isinstance(physical, str) or not 0 < len(physical.encode()) <= ID_BYTES_MAX:
        raise NoAnswerError("Invalid PhysicalResourceId")
    if answer["Status"] == "FAILED" and not answer.get("Reason"):
        raise NoAnswerError("Invalid Response object: Reason is required where Status is FAILED")
    return dict(answer)


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _made(answer: dict[str, Any]) -> Made:
    return Made(answer["PhysicalResourceId"], answer.get("Data") or {})


def create(making: Making, properties: dict[str, Any]) -> Made:
    """Have the function make it."""
    try:
        return _made(_ask(making, "Create", properties))
    except NoAnswerError as error:
        raise HalfMadeError(making.name(), str(error)) from error


def update(making: Making, made: Made, old: dict[str, Any], new: dict[str, Any]) -> Made:
    """Have the function change it; another physical id is another resource."""
    refuse(making, old, new, "ServiceToken")
    more = {"PhysicalResourceId": made.reference, "OldResourceProperties": _as_text(old)}
    return _made(_ask(making, "Update", new, **more))


def delete(making: Making, made: Made, properties: dict[str, Any]) -> None:
    """Have the function delete it."""
    _ask(making, "Delete", properties, PhysicalResourceId=made.reference)


TYPES = (ResourceType("AWS::CloudFormation::CustomResource", "*", create, delete, update=update, renames=True),)
