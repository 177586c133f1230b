"""One record of an inference log, written by whoever serves the model: its id, its time, the features, and the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kedge.capture.answers import answer_rows
from kedge.capture.attributes import context_values
from kedge.capture.formats import Payload, loads, storable
from kedge.capture.requests import features_of, request_rows
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError

# What stands in a record beside features and answer.
OWN_FIELDS = ("v", "model", "version", "id", "time", "features", "context")
# Numbers below it are seconds since 1970, others milliseconds: as seconds it is the year 5138.
_SECONDS_MAX = 1e11
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
VERSION = "1"


def log_rows(line: bytes, config: ModelConfig) -> list[list[Any]]:
    """`[row_id, event_id, time, features..., prediction, probabilities..., context...]` of the one row of a record, all but the time as text.

    Raises
    ------
    UnreadableRecordError
        Whatever is wrong with the line: no other error leaves this function.
    """
    record = read_record(line)
    if str(record.get("v", VERSION)) != VERSION:
        raise UnreadableRecordError(reason=f"v is not {VERSION}: this version of records is not known")
    if record.get("model", config.model) != config.model:
        raise UnreadableRecordError(reason="model names another model than the folder")
    name, time = _identifier(record.get("id")), _time(record.get("time"))
    rows = request_rows(Payload([_features(record, config)], "JSON", guessed=False), config)
    if len(rows) != 1:
        raise UnreadableRecordError(reason=f"features hold {len(rows)} rows: a record is one row")
    (answer,) = answer_rows(Payload([answer_in(record)], "JSON", guessed=False), 1, config)
    return [[name, name, time, *features_of(rows[0], config), *answer, *_context(record, config)]]


def read_record(line: bytes) -> dict[str, Any]:
    """A line as a record.

    Raises
    ------
    UnreadableRecordError
    """
    try:
        text = line.decode("utf-8-sig")
        record = storable(loads(text), text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordError(reason=f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise UnreadableRecordError(reason="not a JSON object")
    return record


def answer_in(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record that tells the answer: all that is neither its own nor a feature.

    >>> answer_in({"id": "a", "features": {"x": 1}, "prediction": "yes", "score": 0.8})
    {'prediction': 'yes', 'score': 0.8}
    """
    return {name: value for name, value in record.items() if name not in OWN_FIELDS}


def _features(record: Mapping[str, Any], config: ModelConfig) -> Any:
    """The features; records of flat tables have them beside the answer."""
    given = record.get("features")
    if given is not None:
        return given
    absent = [name for name in config.feature_names if name not in record]
    if absent:
        raise UnreadableRecordError(reason="no features in the record")
    return {name: record[name] for name in config.feature_names}


def _context(record: Mapping[str, Any], config: ModelConfig) -> list[str | None]:
    """What the YAML wants to keep of the object `context`, or of the record's own version."""
    given = record.get("context")
    return context_values(
        {"version": record.get("version"), **(given if isinstance(given, dict) else {})}, config.context
    )


def _identifier(value: Any) -> str:
    # A number was read as its digits.
    if not isinstance(value, str) or not value:
        raise UnreadableRecordError(
            reason="id is neither a text nor a whole number: labels and doubled records are found by it"
        )
    return value


def _time(value: Any) -> datetime:
    """An instant of ISO 8601, in UTC where it names no zone, or seconds or milliseconds since 1970."""
    try:
        if _NUMBER.fullmatch(value):
            since = float(value)
            return datetime.fromtimestamp(since if abs(since) < _SECONDS_MAX else since / 1000, UTC)
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise UnreadableRecordError(reason="time is not a time of ISO 8601, nor seconds since 1970") from error


def as_line(row: Mapping[str, Any]) -> bytes:
    """A row of Parquet as the line that the same record is in JSON Lines; a column without a value is left out.

    >>> as_line({"id": "a", "time": datetime(2026, 3, 1, tzinfo=UTC), "features": {"x": 1.5, "y": None}, "score": None})
    b'{"id": "a", "time": "2026-03-01T00:00:00+00:00", "features": {"x": 1.5, "y": null}}'
    """
    present = {name: value for name, value in row.items() if value is not None}
    return json.dumps(present, default=_written).encode()


def _written(value: Any) -> Any:
    """What JSON has no form for: times as ISO 8601, decimals as their digits."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
