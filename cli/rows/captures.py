"""Files of Data Capture read as rows, with the functions' own reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from cli.rows.sources import RowSource, UnreadableFileError
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError

IS_CAPTURE = "this is Data Capture; name the model's YAML (--config), by which it is read as rows, or draft one with `kedge init --data`"
_READ_BYTES = 8 * 1024 * 1024
# The two parts that every record has.
_PARTS = {"captureData", "eventMetadata"}


def is_capture(names: list[str]) -> bool:
    """Whether columns of JSON lines are the parts of captured records."""
    return {name.partition(".")[0] for name in names} >= _PARTS


def capture_schema(config: ModelConfig) -> pa.Schema:
    """The columns of captured rows: the features and what is kept of an answer, as text until they are cast."""
    return pa.schema([(name, pa.string()) for name in (*config.feature_names, *config.answer_columns)])


def captured_batches(
    source: RowSource, stream: Any, config: ModelConfig, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of one file of records; what cannot be read is left out, and a file without a readable record is refused."""
    # Here and below, because other files need none of the functions' reader.
    from kedge.capture.records import LineTally, capture_batches

    rows, reason, tally = 0, "", LineTally()
    for content in _pieces(stream):
        for batch in capture_batches([(source.name, content)], config, tally):
            reason = reason or next((record.reason for record in batch.quarantined), "")
            rows += batch.table.num_rows
            yield from batch.table.select(columns).to_batches()
    if reason and not rows:
        raise UnreadableFileError(path=source.name, reason=f"no captured record can be read, such as: {reason}")


def unread_records(source: RowSource, stream: Any, config: ModelConfig) -> str:
    """A sentence on the records of a file that cannot be read; nothing where all can."""
    from kedge.capture.records import capture_batches

    records = broken = 0
    reason = ""
    for content in _pieces(stream):
        for batch in capture_batches([(source.name, content)], config):
            broken += len(batch.quarantined)
            reason = reason or (batch.quarantined[0].reason if batch.quarantined else "")
        records += sum(1 for line in content.split(b"\n") if line.strip())
    return (
        f"{source.name}: {broken:,} of {records:,} captured records cannot be read, such as: {reason}" if broken else ""
    )


def requested_rows(stream: Any, most: int) -> list[Any]:
    """The rows of a file's requests before any YAML says what they are, at most as many as are wanted."""
    return [
        *islice((row for content in _pieces(stream) for line in content.split(b"\n") for row in _rows_of(line)), most)
    ]


def columns_of_rows(rows: list[Any]) -> tuple[list[str] | None, list[Any]]:
    """The rows' names where they have some, and a column of text per place or name; ValueError where they are not alike."""
    first = rows[0]
    alike = [row for row in rows if type(row) is type(first) and len(row) == len(first)]
    if not isinstance(first, dict | list) or len(alike) < len(rows):
        raise ValueError("the rows are not all of the same length")
    if isinstance(first, list):
        return None, [_text(row[place] for row in rows) for place in range(len(first))]
    return list(first), [_text(row.get(name) for row in rows) for name in first]


def _rows_of(line: bytes) -> list[Any]:
    from kedge.capture.payloads import input_rows

    try:
        return input_rows(line)
    except UnreadableRecordError:
        return []


def _pieces(stream: Any) -> Iterator[bytes]:
    """Stretches of whole lines."""
    rest = b""
    while read := bytes(stream.read(_READ_BYTES)):
        whole, newline, rest = (rest + read).rpartition(b"\n")
        if newline:
            yield whole
    if rest.strip():
        yield rest


def _text(values: Any) -> Any:
    return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string())
