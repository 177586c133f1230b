"""What stands inside one Data Capture record: its time, the rows that went in, and the answers that came out."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

from kedge.errors import UnreadableRecordError
from kedge.model_config import ModelConfig

# Wrappers of SageMaker's containers: TensorFlow Serving, the built-in algorithms, and one row of theirs.
_WRAPPERS, _ROW_WRAPPER = ("instances", "predictions"), "features"


def record_rows(line: bytes, config: ModelConfig) -> list[list[Any]]:
    """`[row_id, event_id, time, features..., prediction, probabilities...]` of each row of one record, all but the time as text.

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
    inputs, outputs = _payload_rows(capture, "endpointInput"), _payload_rows(capture, "endpointOutput")
    outputs = _one_answer_a_row(outputs, len(inputs))
    several = len(inputs) > 1
    return [
        [
            f"{name or event}/{i}" if several else name or event,
            event,
            time,
            *_features(given, config),
            *_answer(came, config),
        ]
        for i, (given, came) in enumerate(zip(inputs, outputs, strict=True))
    ]


def input_rows(line: bytes) -> list[Any]:
    """The rows that one record's request held: lists, or mappings by name, before any YAML says what they should be.

    >>> input_rows(b'{"captureData": {"endpointInput": {"data": "1,a", "encoding": "CSV"}}, "eventMetadata": {}}')
    [['1', 'a']]

    Raises
    ------
    UnreadableRecordError
    """
    capture, _ = _parts(line)
    rows = _payload_rows(capture, "endpointInput")
    return [row.get(_ROW_WRAPPER, row) if isinstance(row, dict) else row for row in rows]


def _parts(line: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        record = _loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError(reason=f"not JSON: {error}") from error
    found = []
    for name in ("captureData", "eventMetadata"):
        part = record.get(name) if isinstance(record, dict) else None
        if not isinstance(part, dict):
            raise UnreadableRecordError(reason=f"no {name} in the record")
        found.append(part)
    return found[0], found[1]


def _loads(text: str) -> Any:
    found = json.loads(text)
    if "\\u" in text:
        # Text that UTF-8 cannot write (a lone surrogate) could not be stored either.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def _identifier(metadata: dict[str, Any], name: str) -> str:
    value = metadata.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableRecordError(reason=f"{name} is {value!r}, not a text")
    return value


def _time(text: Any) -> datetime:
    try:
        if isinstance(text, int | float) or str(text).isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        time = datetime.fromisoformat(str(text))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UnreadableRecordError(reason=f"inferenceTime {text!r} is not a time") from error


def _payload_rows(capture: dict[str, Any], side: str) -> list[Any]:
    """The rows of one side: lists of text for CSV, whatever stands there for JSON."""
    block = capture.get(side)
    if not isinstance(block, dict) or not isinstance(block.get("data"), str):
        raise UnreadableRecordError(reason=f"no {side} in the record")
    data, encoding = block["data"], block.get("encoding", "BASE64")
    content_type = str(block.get("observedContentType", "")).partition(";")[0].strip().lower()
    if encoding == "BASE64":
        try:
            data = base64.b64decode(data, validate=True).decode("utf-8")
        except (binascii.Error, ValueError) as error:
            raise UnreadableRecordError(reason=f"{side} is not text in BASE64") from error
        encoding = "JSON" if "json" in content_type else "CSV" if "csv" in content_type else content_type or encoding
    if encoding == "JSON":
        rows = _json_rows(data, side)
    elif encoding == "CSV":
        rows = _csv_rows(data, side)
    else:
        raise UnreadableRecordError(reason=f"{side} is {encoding}, neither CSV nor JSON")
    if not rows:
        raise UnreadableRecordError(reason=f"{side} holds no row")
    return rows


def _csv_rows(data: str, side: str) -> list[Any]:
    try:
        return [row for row in csv.reader(io.StringIO(data)) if row]
    except csv.Error as error:
        raise UnreadableRecordError(reason=f"{side} is not CSV: {error}") from error


def _json_rows(data: str, side: str) -> list[Any]:
    """Rows in the shapes that SageMaker's containers use: a list, `instances`, `predictions`, lines, or one row."""
    try:
        found = _loads(data)
    except (ValueError, RecursionError):
        try:
            found = [_loads(line) for line in data.splitlines() if line.strip()]
        except (ValueError, RecursionError) as error:
            raise UnreadableRecordError(reason=f"{side} is not JSON: {error}") from error
    if isinstance(found, dict):
        for wrapper in _WRAPPERS:
            if isinstance(found.get(wrapper), list):
                return list(found[wrapper])
    if isinstance(found, list):
        flat = bool(found) and side == "endpointInput" and not any(isinstance(item, dict | list) for item in found)
        return [found] if flat else found
    return [found]


def _one_answer_a_row(outputs: list[Any], rows: int) -> list[Any]:
    """Answers as one a row: some containers write all on one line, others one answer as a list of its classes."""
    if len(outputs) == rows:
        return outputs
    if len(outputs) == 1 and isinstance(outputs[0], list) and len(outputs[0]) == rows:
        return outputs[0]
    if rows == 1 and not any(isinstance(item, dict | list) for item in outputs):
        return [outputs]
    raise UnreadableRecordError(reason=f"{rows} rows went in and {len(outputs)} came out")


def _features(row: Any, config: ModelConfig) -> list[str | None]:
    names = config.feature_names
    if isinstance(row, dict) and isinstance(row.get(_ROW_WRAPPER), list | dict):
        row = row[_ROW_WRAPPER]
    if isinstance(row, dict):
        absent = [name for name in names if name not in row]
        if absent:
            raise UnreadableRecordError(reason=f"no {', '.join(absent)} in the input")
        return [_text(row[name]) for name in names]
    values = row if isinstance(row, list) else [row]
    if len(values) != len(names):
        reason = f"{len(values)} values came in, the YAML names {len(names)} features"
        raise UnreadableRecordError(reason=reason)
    return [_text(value) for value in values]


def _answer(row: Any, config: ModelConfig) -> list[str | None]:
    """The prediction, and the probabilities by their names, or of a list those behind it; without one it is missing."""
    field, probabilities = config.prediction.field, config.prediction.probabilities
    if isinstance(row, dict):
        name = field if isinstance(field, str) else config.prediction.name
        if name not in row:
            raise UnreadableRecordError(reason=f"no {name} in the answer")
        return [_text(row.get(key)) for key in (name, *probabilities)]
    values = row if isinstance(row, list) else [row]
    if not isinstance(field, int) or not 0 <= field < len(values):
        raise UnreadableRecordError(reason=f"no field {field!r} in an answer of {len(values)} values")
    places = range(field, field + 1 + len(probabilities))
    return [_text(values[place]) if place < len(values) else None for place in places]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
