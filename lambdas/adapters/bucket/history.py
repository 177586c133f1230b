"""The history for business intelligence: small Parquet objects, one a window or entry, and one a table and month once compacted.

An object is called after what it is about, so a rerun overwrites it. A row says when it was written, and of two rows the later one
counts: readers may meet an object and its compacted copy side by side.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kedge.history.newest import newest_rows
from kedge.history.rows import Row, decision_row, delivery_row, month_of, window_identity, window_rows
from kedge.history.tables import MONTH, TABLES, WRITTEN_AT, HistoryTable
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.times import wall_clock
from lambdas.afterwards import do_afterwards

# No model has a name that ends with a hyphen.
COMPACTED = "compacted-."
# Each object is small: its reading is all waiting.
_READERS = 16
# Athena's `timestamp` has milliseconds and no zone; pyarrow would write nanoseconds.
_TYPES = {
    "text": pa.string(),
    "number": pa.float64(),
    "count": pa.int64(),
    "time": pa.timestamp("ms"),
    "flag": pa.bool_(),
}


def schema_of(table: HistoryTable) -> pa.Schema:
    """The columns of a table as its files hold them."""
    return pa.schema([(column.name, _TYPES[column.kind]) for column in table.columns])


def note_window(bucket: str, report: Mapping[str, Any], report_key: str) -> None:
    """Write a judged window into the history once the function has told of it."""
    do_afterwards(f"the history of {report_key}", partial(save_window, clients.s3(), bucket, report, report_key))


def note_decision(bucket: str, entry: Mapping[str, Any], key: str) -> None:
    """Write an entry of the timeline into the history once the function has told of it."""
    do_afterwards(f"the history of {key}", partial(save_decision, clients.s3(), bucket, entry, key))


def note_delivery(bucket: str, event: Mapping[str, Any], delivery: str, attempt: Mapping[str, Any]) -> None:
    """Write what a channel answered into the history once the function has delivered."""
    work = partial(save_delivery, clients.s3(), bucket, event, delivery, attempt)
    do_afterwards(f"the history of the delivery {delivery}", work)


def note_parts(bucket: str, key: str, parts: Sequence[str]) -> None:
    """Write which parts hold a day's answers once the function has counted it."""
    do_afterwards(f"the history of {key}", partial(save_parts, clients.s3(), bucket, key, parts))


def save_window(s3: Any, bucket: str, report: Mapping[str, Any], report_key: str) -> None:
    """Write a judged window: what it found as a whole, its metrics and its columns."""
    found = window_rows(report, report_key)
    (window,) = found["windows"]
    about = f"{window['model']}.{window_identity(window['package'], window['window_end'])}"
    for name, rows in found.items():
        # Also without rows: what an earlier judgement wrote there no longer counts.
        save_rows(s3, bucket, object_key(name, month_of(window["window_end"]), about), rows)


def save_decision(s3: Any, bucket: str, entry: Mapping[str, Any], key: str) -> None:
    """Write an entry of the timeline."""
    ((name, rows),) = decision_row(entry, entry_name(entry["model"], key)).items()
    about = f"{entry['model']}.{rows[0]['entry'].replace('/', '-').removesuffix('.json')}"
    save_rows(s3, bucket, object_key(name, month_of(rows[0]["time"]), about), rows)


def save_delivery(s3: Any, bucket: str, event: Mapping[str, Any], delivery: str, attempt: Mapping[str, Any]) -> None:
    """Write what a channel answered to the newest attempt."""
    (rows,) = delivery_row(event, delivery, attempt).values()
    save_rows(s3, bucket, delivery_key(event["model"], rows[0]["time"], delivery), rows)


def delivery_name(message: str, channel: str) -> str:
    """The name of a message to a channel."""
    return f"{message}-{channel}"


def delivery_key(model: str, time: datetime, delivery: str) -> str:
    """The object of a message to a channel."""
    return object_key("deliveries", month_of(time), f"{model}.{delivery}")


def entry_name(model: str, key: str) -> str:
    """An entry's object below the model's timeline."""
    return key.removeprefix(layout.timeline_prefix(model))


def object_key(table: str, month: str, about: str) -> str:
    """One object of a table."""
    return f"{layout.history_prefix(table, month)}{about}.parquet"


def save_rows(s3: Any, bucket: str, key: str, rows: Sequence[Row]) -> None:
    """Write rows as they are known now."""
    table, now = TABLES[key.split("/")[1]], wall_clock()
    schema = schema_of(table)
    save_table(s3, bucket, key, pa.Table.from_pylist([{**row, WRITTEN_AT: now} for row in rows], schema))


def save_table(s3: Any, bucket: str, key: str, rows: pa.Table) -> None:
    """Write a Parquet object."""
    s3.put_object(Bucket=bucket, Key=key, Body=encode_table(rows))


def encode_table(rows: pa.Table) -> bytes:
    """Rows as a Parquet object holds them."""
    import pyarrow.parquet as pq  # 0.35 s to import: after the work that somebody waits for

    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="snappy", coerce_timestamps="ms")
    return sink.getvalue()


def load_table(s3: Any, bucket: str, key: str, table: HistoryTable) -> pa.Table:
    """The rows of an object in today's columns; none where the object is gone: its rows are in a newer one."""
    found = objects.read(s3, bucket, key)
    return schema_of(table).empty_table() if found is None else read_table(found[0], table)


def read_table(content: bytes, table: HistoryTable) -> pa.Table:
    """A Parquet object's rows in today's columns."""
    import pyarrow.parquet as pq

    schema, rows = schema_of(table), pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    return pa.table(
        {
            f.name: rows.column(f.name) if f.name in rows.column_names else pa.nulls(rows.num_rows, f.type)
            for f in schema
        }
    ).cast(schema)


def months_of(s3: Any, bucket: str, table: str, *, since: datetime) -> list[str]:
    """The months of a table from `since` on, ascending."""
    folders = objects.list_folders(s3, bucket, layout.history_prefix(table))
    months = (folder.rstrip("/").rpartition(f"{MONTH}=")[2] for folder in folders)
    return sorted(month for month in months if month >= month_of(since))


def load_history(
    s3: Any, bucket: str, model: str | None, table: str, *, since: datetime, months: Sequence[str] | None = None
) -> pa.Table:
    """The rows of a table from `since` on that count, in time: those of one model, or of all.

    Parameters
    ----------
    months : sequence of str, optional
        Only these; by default all.
    """
    described, prefixes = TABLES[table], [f"{model}.", COMPACTED] if model else [""]
    parts = [schema_of(described).empty_table()]
    for month in months_of(s3, bucket, table, since=since) if months is None else months:
        for prefix in prefixes:
            keys = objects.list_objects(s3, bucket, layout.history_prefix(table, month) + prefix)
            parts += _read_all(s3, bucket, keys, described)
    rows = pa.concat_tables(parts)
    wanted = is_since(rows, described, since)
    if model:
        wanted = pc.and_(wanted, pc.equal(rows.column("model"), model))
    return newest_rows(rows.filter(wanted), described)


def is_since(rows: pa.Table, table: HistoryTable, since: datetime) -> pa.ChunkedArray:
    """Which rows are not older."""
    first = pa.scalar(since.astimezone(UTC).replace(tzinfo=None), pa.timestamp("ms"))
    return pc.greater_equal(rows.column(table.time), first)


def _read_all(s3: Any, bucket: str, keys: Iterable[str], table: HistoryTable) -> list[pa.Table]:
    with ThreadPoolExecutor(_READERS) as readers:
        return [*readers.map(lambda key: load_table(s3, bucket, key, table), keys)]


def save_parts(s3: Any, bucket: str, key: str, parts: Sequence[str]) -> None:
    """List the parts of the predictions table that a day's object vouches for, as Hive's SymlinkTextInputFormat reads them."""
    lines = "".join(f"s3://{bucket}/{part}\n" for part in parts)
    s3.put_object(Bucket=bucket, Key=parts_list_of(key), Body=lines.encode())


def parts_list_of(key: str) -> str:
    """Where the parts of a day object are listed."""
    _, model, package, _, day = key.removesuffix(".npz").split("/")
    return layout.answers_list_key(model, package, date.fromisoformat(day))
