"""What is sent to a challenger on trial: captured requests as they came, and single rows of the holdout."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from datetime import UTC, datetime
from typing import NamedTuple

from kedge.config.model import ModelConfig


class ReplayRequest(NamedTuple):
    """A request as a client sent it; `minute` says when, in minutes since 1970, where that is known."""

    body: bytes
    content_type: str
    custom_attributes: str = ""
    minute: int = 0


def captured_request(line: bytes, *, content_type: str) -> ReplayRequest | None:
    """What a captured record's client had sent; None where the line does not say it.

    Parameters
    ----------
    content_type : str
        Of a request whose record names none.

    >>> line = b'{"captureData": {"endpointInput": {"data": "MSwy", "encoding": "BASE64", "observedContentType": "text/csv"}}}'
    >>> captured_request(line, content_type="text/csv").body
    b'1,2'
    >>> captured_request(b"no record", content_type="text/csv") is None
    True
    """
    try:
        record = json.loads(line)
        sent, metadata = record["captureData"]["endpointInput"], record.get("eventMetadata") or {}
        in_base64 = sent.get("encoding") == "BASE64"
        body = base64.b64decode(sent["data"], validate=True) if in_base64 else str(sent["data"]).encode()
        attributes = metadata.get("customAttributes") or [""]
        kind = str(sent.get("observedContentType") or content_type)
        return ReplayRequest(body, kind, str(attributes[0]), _minute(metadata.get("inferenceTime")))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, binascii.Error):
        return None


def _minute(text: object) -> int:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return 0
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()) // 60


def holdout_requests(payload: bytes, config: ModelConfig) -> dict[str, ReplayRequest]:
    r"""The rows that a transform job has scored, one a request, by their ids: `scoring_payload` wrote them.

    >>> from kedge.config.reading import parse_model_config
    >>> config = parse_model_config("{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}]}", source="m")
    >>> holdout_requests(b"r1,2.5\n", config)["r1"].body
    b'2.5'
    """
    kind, text = config.endpoint.content_type, payload.decode()
    if kind == "text/csv":
        rows = csv.reader(io.StringIO(text, newline=""))
        return {row[0]: ReplayRequest(_csv_line(row[1:]), kind) for row in rows if row}
    documents = (json.loads(line) for line in text.split("\n") if line.strip())
    return {str(d["id"]): ReplayRequest(json.dumps(d["payload"]).encode(), kind) for d in documents}


def _csv_line(values: list[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue().encode()
