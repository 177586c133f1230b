"""What stands inside one Data Capture record: its time, the rows that went in, and the answers that came out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from kedge.capture.answer_layouts import any_answers, count_answers
from kedge.capture.answers import answer_rows
from kedge.capture.attributes import attributes_of, context_values
from kedge.capture.formats import Text, read_payload, said_by_header, storable
from kedge.capture.requests import any_rows, features_of, looks_like_names, request_rows
from kedge.capture.texts import ANSWER, BOM, INPUT, decoded_text
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError


def record_rows(line: bytes, config: ModelConfig) -> list[list[Any]]:
    """`[row_id, event_id, time, features..., prediction, probabilities..., context...]` of each row of one record, all but the time as text.

    Raises
    ------
    UnreadableRecordError
        Whatever is wrong with the line: no other error leaves this function.
    """
    capture, metadata = _parts(line)
    event, name = _identifier(metadata, "eventId"), None
    if metadata.get("inferenceId") is not None:
        name = _identifier(metadata, "inferenceId")
    time = _time(metadata.get("inferenceTime"))
    if not config.capture.has_answers:
        rows = _rows_alone(capture, config)
    elif not config.capture.has_requests:
        # Each is a row without a feature.
        came = read_payload(_text(capture, ANSWER))
        rows = answer_rows(came, count_answers(came, config), config)
    else:
        rows = rows_and_answers(_text(capture, INPUT, payload_width(config)), _text(capture, ANSWER), config)
    context = context_values(attributes_of(metadata), config.context) if config.context else []
    suffixes = row_suffixes(len(rows))
    return [
        [f"{name or event}{suffix}", event, time, *row, *context] for suffix, row in zip(suffixes, rows, strict=True)
    ]


def row_suffixes(rows: int) -> list[str]:
    """What stands behind a request's id in the ids of its rows: nothing where it has one.

    >>> row_suffixes(1), row_suffixes(2)
    ([''], ['/0', '/1'])
    """
    return [f"/{i}" for i in range(rows)] if rows > 1 else [""] * rows


def payload_width(config: ModelConfig) -> int:
    """How many values a row of a request has."""
    return len(config.features) + len(config.endpoint.excluded_places)


def input_rows(line: bytes, features_attribute: str | None = None) -> list[Any]:
    """The rows that one record's request held: lists, or mappings by name, before any YAML says what they should be.

    >>> input_rows(b'{"captureData": {"endpointInput": {"data": "1,a", "encoding": "CSV"}}, "eventMetadata": {}}')
    [['1', 'a']]

    Raises
    ------
    UnreadableRecordError
    """
    capture, _ = _parts(line)
    return any_rows(read_payload(_text(capture, INPUT)), features_attribute)


def rows_and_answers(request: Text, answer: Text, config: ModelConfig) -> list[list[str | None]]:
    """`[features..., prediction, probabilities...]` of each row of a request and its answer, as text.

    Raises
    ------
    UnreadableRecordError
    """
    inputs, came = request_rows(read_payload(request), config), read_payload(answer)
    try:
        answers = answer_rows(came, len(inputs), config)
    except UnreadableRecordError:
        if not looks_like_names(inputs, config):
            raise
        inputs, answers = inputs[1:], answer_rows(came, len(inputs) - 1, config)
    return [[*features_of(given, config), *answer] for given, answer in zip(inputs, answers, strict=True)]


def _rows_alone(capture: dict[str, Any], config: ModelConfig) -> list[list[str | None]]:
    """The rows of a request whose answer was not captured."""
    inputs = request_rows(read_payload(_text(capture, INPUT, payload_width(config))), config)
    inputs = inputs[1:] if looks_like_names(inputs, config) else inputs
    nothing = [None] * len(config.answer_columns)
    return [[*features_of(given, config), *nothing] for given in inputs]


def answered_rows(line: bytes, attribute: str | int | None = None) -> list[Any]:
    """The rows that one record's answer held, before a YAML says what they should be; `attribute` says where they stand, if that is known.

    >>> answered_rows(b'{"captureData": {"endpointOutput": {"data": "0.5", "encoding": "CSV"}}, "eventMetadata": {}}')
    [['0.5']]

    Raises
    ------
    UnreadableRecordError
    """
    capture, _ = _parts(line)
    return any_answers(read_payload(_text(capture, ANSWER)), attribute)


def _parts(line: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        text = line.decode("utf-8-sig")
        record = storable(json.loads(text), text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError(reason=f"not JSON: {error}") from error
    found = []
    for name in ("captureData", "eventMetadata"):
        part = record.get(name) if isinstance(record, dict) else None
        if not isinstance(part, dict):
            raise UnreadableRecordError(reason=f"no {name} in the record")
        found.append(part)
    return found[0], found[1]


def _identifier(metadata: dict[str, Any], name: str) -> str:
    value = metadata.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableRecordError(reason=f"{name} is not a text")
    return value


def _time(text: Any) -> datetime:
    try:
        if isinstance(text, int | float) or str(text).isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        time = datetime.fromisoformat(str(text))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UnreadableRecordError(reason="inferenceTime is not a time") from error


def _text(capture: dict[str, Any], side: str, width: int | None = None) -> Text:
    """What one side holds, before it is read.

    The content decides, not its header: containers answer JSON as `text/html`, and the capture stores in BASE64 what its
    config does not list. The header only settles what may be both.
    """
    block = capture.get(side)
    if not isinstance(block, dict) or not isinstance(block.get("data"), str):
        raise UnreadableRecordError(reason=f"no {side} in the record")
    encoding = block.get("encoding", "BASE64")
    if encoding not in ("CSV", "JSON", "BASE64"):
        raise UnreadableRecordError(reason=f"{side} is in an encoding that is neither CSV nor JSON nor BASE64")
    text = (decoded_text(block["data"], side) if encoding == "BASE64" else block["data"]).removeprefix(BOM)
    return Text(text, said_by_header(block.get("observedContentType"), encoding), side, width)
