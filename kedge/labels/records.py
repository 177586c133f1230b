"""Labels as Model Monitor's users upload them: ground truth in JSON Lines, as a table and a count of broken lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from kedge.own_columns import FIELD, LABEL, ROW_ID

INFERENCE_TIME = "inference_time"


@dataclass(frozen=True)
class LabelRecords:
    """What a label file holds.

    Attributes
    ----------
    table : Table
        Text columns `kedge_row_id`, `label` (null if a label is taken back), `inference_time` (null if unknown), and
        `kedge_field_<name>` for each extra field, in the file's order.
    broken : mapping of str to int
        Lines that could not be read, by reason.
    """

    table: pa.Table
    broken: Mapping[str, int] = field(default_factory=dict)


def parse_labels(content: bytes, fields: Sequence[str]) -> LabelRecords:
    r"""Read a label file; a broken line costs that line only, and nothing is raised.

    Parameters
    ----------
    content : bytes
        JSON Lines: `{"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": "a"}}`, with `inferenceTime` in the
        metadata or beside it.
    fields : sequence of str
        Names of extra fields: beside the truth, in it, or in the metadata.

    >>> line = b'{"groundTruthData": {"data": 1}, "eventMetadata": {"eventId": "a"}, "refund": 12.5}'
    >>> found = parse_labels(line + b"\nnonsense", ["refund"])
    >>> found.table.to_pylist(), found.broken
    ([{'kedge_row_id': 'a', 'label': '1', 'inference_time': None, 'kedge_field_refund': '12.5'}], {'JSONDecodeError in a label record': 1})
    """
    lines = [line for line in content.splitlines() if line.strip()]
    table = _read_at_once(content, len(lines), fields) if lines else None
    return LabelRecords(table) if table is not None else _read_by_line(lines, fields)


def records_schema(fields: Sequence[str]) -> pa.Schema:
    """Columns of `LabelRecords.table`."""
    return pa.schema(
        [(name, pa.string()) for name in (ROW_ID, LABEL, INFERENCE_TIME, *(f"{FIELD}{f}" for f in fields))]
    )


def _read_at_once(content: bytes, lines: int, fields: Sequence[str]) -> pa.Table | None:
    """The table, if every line is a whole record of texts; None if a line needs a closer look."""
    if {"groundTruthData", "eventMetadata"} & set(fields):
        return None
    extra = [(name, pa.string()) for name in dict.fromkeys(fields)]
    schema = pa.schema(
        _with(
            [
                ("groundTruthData", pa.struct(_with([("data", pa.string())], extra))),
                ("eventMetadata", pa.struct(_with([("eventId", pa.string()), ("inferenceTime", pa.string())], extra))),
                ("inferenceTime", pa.string()),
            ],
            extra,
        )
    )
    try:
        content.decode("utf-8")
        options = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        reading = pa.json.ReadOptions(use_threads=False, block_size=len(content) + 1)
        read = pa.json.read_json(pa.BufferReader(content), reading, options)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    truth, metadata = (read.column(name).combine_chunks() for name in ("groundTruthData", "eventMetadata"))
    row_id, label = pc.struct_field(metadata, "eventId"), pc.struct_field(truth, "data")
    # With two records on one line, or a null in a required field, only reading line by line shows what is broken.
    if read.num_rows != lines or row_id.null_count or label.null_count or not pc.all(pc.not_equal(row_id, "")).as_py():
        return None
    said = pc.coalesce(pc.struct_field(metadata, "inferenceTime"), read.column("inferenceTime").combine_chunks())
    columns = [row_id, pc.utf8_trim_whitespace(label), said]
    for name in fields:
        inside = [pc.struct_field(place, name) for place in (truth, metadata)]
        columns.append(pc.coalesce(read.column(name).combine_chunks(), *inside))
    return pa.table(columns, schema=records_schema(fields))


def _with(named: list[tuple[str, Any]], extra: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    known = {name for name, _ in named}
    return [*named, *((name, kind) for name, kind in extra if name not in known)]


def _read_by_line(lines: Sequence[bytes], fields: Sequence[str]) -> LabelRecords:
    rows, broken = [], Counter[str]()
    for line in lines:
        try:
            rows.append(_read_line(line, fields))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            broken[f"{type(error).__name__} in a label record"] += 1
    columns = list(zip(*rows, strict=True)) if rows else [()] * (3 + len(fields))
    schema = records_schema(fields)
    return LabelRecords(pa.table([pa.array(column, pa.string()) for column in columns], schema=schema), dict(broken))


def _read_line(line: bytes, fields: Sequence[str]) -> tuple[str | None, ...]:
    record = json.loads(line)
    truth, metadata = record["groundTruthData"], record["eventMetadata"]
    row_id, label = metadata["eventId"], truth["data"]
    if row_id is None or row_id == "":
        raise KeyError("eventId")
    places = (record, truth, metadata)
    said = [next((place[name] for place in places if place.get(name) is not None), None) for name in fields]
    time = metadata.get("inferenceTime")
    texts = (row_id, label, record.get("inferenceTime") if time is None else time, *said)
    found = [None if text is None else str(text) for text in texts]
    for text in found:
        # Half of a surrogate pair can be written in JSON, and nowhere else.
        (text or "").encode()
    return (found[0], None if found[1] is None else found[1].strip(), *found[2:])
