"""Answers joined with labels by Athena: what a join would read, where its inputs and its result stand, and the result."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from lambdas.adapters.bucket import layout, objects, row_objects

# Below a join's own prefix.
_ANSWERS, _LABELS, JOINED, _SCHEMA = "answers/", "labels/", "joined/", "schema.parquet"
# The list of what was joined, and what was counted of it.
_ROWS, COUNTS = "rows/", "counts/"


def is_of(prefix: str, asked: str) -> bool:
    """Whether a join answers a question: its runs are called `<question>-<attempt>`."""
    return prefix.rstrip("/").rpartition("/")[2].startswith(f"{asked}-")


def joined_location(bucket: str, model: str, run: str) -> str:
    """Address of the list of what a join has written."""
    return f"s3://{bucket}/{layout.join_prefix(model, run)}{_ROWS}"


def locations(bucket: str, model: str, run: str) -> tuple[str, str, str]:
    """Addresses of a join's lists of objects, of answers and of labels, and of its result."""
    below = f"s3://{bucket}/{layout.join_prefix(model, run)}"
    return below + _ANSWERS, below + _LABELS, below + JOINED


def prefix_of(model: str, run: str) -> str:
    """Where a query of this name reads its lists from, and writes to."""
    return layout.join_prefix(model, run)


def window_bytes(
    s3: Any, bucket: str, *, model: str, package_version: str | None = None, start: datetime, end: datetime
) -> int:
    """Bytes of Parquet that a join of a package's answers of `[start, end)`, or of all packages', reads, before columns are left out."""
    wanted = {f"date={day:%Y-%m-%d}" for day in days_of(start, end)}
    answers = (
        [layout.predictions_prefix(model, package_version)]
        if package_version
        else objects.list_folders(s3, bucket, layout.answers_prefix(model))
    )
    first = f"date={start:%Y-%m-%d}"
    sizes = [
        row_objects.list_sizes(s3, bucket, prefix, start_after=prefix + first)
        for prefix in (*answers, layout.labelled_prefix(model))
    ]
    return sum(
        size
        for listed in sizes
        for key, size in listed.items()
        if key.split("/")[-2] in wanted and key.endswith(".parquet")
    )


def days_of(start: datetime, end: datetime) -> list[date]:
    """The days, UTC, that `[start, end)` touches."""
    last = (end - timedelta(microseconds=1)).date()
    return [start.date() + timedelta(days=n) for n in range((last - start.date()).days + 1)]


def save_inputs(
    s3: Any, bucket: str, prefix: str, *, answers: Iterable[str], labels: Iterable[str], schema: pa.Schema
) -> None:
    """Write what Athena shall read, and what the columns of its answer are really called."""
    import pyarrow.parquet as pq

    save_list(s3, bucket, prefix, answers=answers, labels=labels)
    sink = io.BytesIO()
    pq.write_table(schema.empty_table(), sink)
    s3.put_object(Bucket=bucket, Key=prefix + _SCHEMA, Body=sink.getvalue())


def save_list(
    s3: Any, bucket: str, prefix: str, *, answers: Iterable[str] | None = None, labels: Iterable[str] | None = None
) -> None:
    """Write which objects Athena shall read."""
    for below, keys in ((_ANSWERS, answers), (_LABELS, labels)):
        if keys is not None:
            _save_list(s3, bucket, prefix + below, keys)


def save_joined_list(s3: Any, bucket: str, prefix: str) -> int:
    """Write which objects a join has written, for Athena to read; return how many."""
    keys = sorted(row_objects.list_sizes(s3, bucket, prefix + JOINED))
    _save_list(s3, bucket, prefix + _ROWS, keys)
    return len(keys)


def load_counts(s3: Any, bucket: str, prefix: str, schema: pa.Schema) -> list[pa.Table]:
    """What was counted, a table for each object below a prefix."""
    import pyarrow.parquet as pq

    found = []
    for key in sorted(row_objects.list_sizes(s3, bucket, prefix)):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        found.append(pq.ParquetFile(pa.BufferReader(body)).read(use_threads=False).cast(schema))
    return found


def _save_list(s3: Any, bucket: str, prefix: str, keys: Iterable[str]) -> None:
    # A list of objects as Hive's SymlinkTextInputFormat reads it. It names what the day objects vouch for: Athena would
    # read whatever lies below a prefix, the parts that a lost race left behind among it.
    lines = "".join(f"s3://{bucket}/{key}\n" for key in keys)
    s3.put_object(Bucket=bucket, Key=f"{prefix}objects.txt", Body=lines.encode())


def load_joined(s3: Any, bucket: str, prefix: str) -> pa.Table:
    """The rows of a finished join, in the columns and types of the join in memory; none where nothing was answered."""
    import pyarrow.parquet as pq

    described = s3.get_object(Bucket=bucket, Key=prefix + _SCHEMA)["Body"].read()
    return load_unloaded(s3, bucket, prefix, pq.read_schema(pa.BufferReader(described)).remove_metadata())


def load_unloaded(s3: Any, bucket: str, prefix: str, schema: pa.Schema) -> pa.Table:
    """The rows that a query has written, in these columns and types; none where it found none."""
    import pyarrow.parquet as pq

    parts = [schema.empty_table()]
    for key in sorted(row_objects.list_sizes(s3, bucket, prefix + JOINED)):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        # Athena writes times as Hive did, without a zone.
        file = pq.ParquetFile(pa.BufferReader(body), coerce_int96_timestamp_unit="us")
        parts.append(file.read(use_threads=False).rename_columns(schema.names).cast(schema))
    return pa.concat_tables(parts)
