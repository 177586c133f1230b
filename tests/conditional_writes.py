"""Faults of S3's conditional writes, one for each write in turn: how the service refuses what nobody has raced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CONFLICT, LOST, FINE = "409: another write is under way", "412 to one's own write, whose answer was lost", ""
_CODES = {CONFLICT: ("ConditionalRequestConflict", 409), LOST: ("PreconditionFailed", 412)}


class _Http:
    def __init__(self, status_code: int) -> None:
        self.status_code, self.headers = status_code, {}


@contextmanager
def faults(s3: Any, *given: str) -> Iterator[list[str]]:
    """Let the client's next conditional writes go as given; what is left of them shows how many were made."""
    left, under_way = list(given), []

    def before(params: dict[str, Any], **_: Any) -> Any:
        if not {"If-Match", "If-None-Match"} & set(params["headers"]):
            return None
        under_way.append(left.pop(0) if left else FINE)
        return _refusal(CONFLICT) if under_way[-1] == CONFLICT else None

    def after(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if under_way and under_way.pop() == LOST:
            http, refusal = _refusal(LOST)
            http_response.status_code = http.status_code
            parsed.update(refusal)

    events = s3.meta.events
    events.register("before-call.s3.PutObject", before, unique_id="fault")
    events.register("after-call.s3.PutObject", after, unique_id="lost")
    try:
        yield left
    finally:
        events.unregister("before-call.s3.PutObject", before, unique_id="fault")
        events.unregister("after-call.s3.PutObject", after, unique_id="lost")


def _refusal(kind: str) -> tuple[_Http, dict[str, Any]]:
    code, status = _CODES[kind]
    return _Http(status), {
        "Error": {"Code": code, "Message": kind},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r"},
    }
