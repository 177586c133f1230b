"""What all of SageMaker's operations share here: how one is added to moto, how it names, checks, refuses and tells.

moto answers SageMaker's JSON protocol from one method per operation of `SageMakerResponse` and keeps resources in its
backend. Here an operation is a function from the request's parameters to the answer's document, put in that method's
place; a resource is its own describe document, kept in moto's dictionaries, so that moto's lists and tags go on
working.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from offline.delivery.events import EventBus
from offline.iam.guard import Guard
from offline.region import Region

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
NAME_LENGTH_MAX = 63
SOURCE = "aws.sagemaker"
PRINCIPAL = "sagemaker.amazonaws.com"
SECOND = timedelta(seconds=1)
Answer = Callable[[dict[str, Any]], Mapping[str, Any] | None]

__all__ = ["ResourceInUseException", "ValidationError"]


def add_operations(region: Region, **operations: Answer) -> None:
    """Have operations, by their API names, answered by functions of the request's parameters."""
    for name, answer in operations.items():
        _add(region, camelcase_to_underscores(name), answer)


def _add(region: Region, method: str, answer: Answer) -> None:
    def call(response: Any) -> ActionResult:
        document = answer(_plain(response.params))
        return EmptyResult() if document is None else ActionResult(document)

    region.patch(SageMakerResponse, method, call, create=True)  # moto lacks some of the operations altogether


def _plain(value: Any) -> Any:
    """Return a request as plain dictionaries and lists, without what was not given."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list) else value


class Described:
    """A resource as its describe call shows it; moto reads the document's fields as attributes in its own spelling."""

    def __init__(self, arn: str, document: dict[str, Any], tags: list[dict[str, str]] | None = None) -> None:
        self.arn = arn
        self.document = document
        self.tags = list(tags or [])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.document.get("".join(word.capitalize() for word in name.split("_")))

    @property
    def response_object(self) -> dict[str, Any]:
        """Return the describe answer, without what does not apply."""
        return {key: value for key, value in self.document.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """Return the fields; the list's own shape picks those that it shows."""
        return self.response_object


def arn(region: Region, kind: str, name: str) -> str:
    """Return the ARN of a SageMaker resource; names in it are in lower case, as SageMaker writes them."""
    return region.arn("sagemaker", f"{kind}/{name.lower()}")


def check_name(name: str, field: str) -> None:
    """Refuse a name that SageMaker would."""
    if len(name) > NAME_LENGTH_MAX:
        reason = f"Member must have length less than or equal to {NAME_LENGTH_MAX}"
    elif not NAME.fullmatch(name):
        reason = "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    else:
        return
    raise invalid(name, field, reason)


def invalid(value: Any, field: str, reason: str) -> ValidationError:
    """Make the error for one parameter that breaks a rule."""
    return ValidationError(
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {reason}"
    )


def check_role(guard: Guard, role_arn: str) -> None:
    """Refuse a role that does not exist or that does not trust SageMaker."""
    try:
        guard.require_trust(role_arn, PRINCIPAL)
    except ClientError as error:
        raise ValidationError(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{PRINCIPAL}' to assume the role."
        ) from error


def milliseconds(document: Any) -> Any:
    """Return a document as SageMaker's events spell it: times in milliseconds since 1970."""
    if isinstance(document, Mapping):
        return {key: milliseconds(value) for key, value in document.items() if value is not None}
    if isinstance(document, list):
        return [milliseconds(item) for item in document]
    return round(document.timestamp() * 1000) if isinstance(document, datetime) else document


def tell(region: Region, bus: EventBus, detail_type: str, resource: Described, detail: Mapping[str, Any]) -> None:
    """Publish a change of state a second after it, from the clock and not from within the caller's own step."""
    shown = milliseconds({**detail, "Tags": {tag["Key"]: tag["Value"] for tag in resource.tags}})

    def publish() -> None:
        bus.publish(SOURCE, detail_type, shown, [resource.arn])

    region.clock.call_at(region.clock.now + SECOND, publish, f"{detail_type}: {resource.arn}")
