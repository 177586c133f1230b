"""Answers joined with labels by Athena: what a join would read, where its inputs stand, and what Athena has written."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from lambdas.adapters.bucket import layout, objects, row_objects

# Below a join's own prefix.
_ANSWERS, _LABELS, JOINED, COUNTS = "answers/", "labels/", "joined/", "counts/"
# The lists of what was joined and of what was counted: what they name is whole, whatever else lies there.
ROWS, COUNTED = "rows/", "counted/"
_LEVELS = "levels/"
_LIST = "objects.txt"


def is_of(prefix: str, asked: str) -> bool:
    """Whether a join answers a question: its runs are called `<question>-<message>`."""
    return prefix.rstrip("/").rpartition("/")[2].startswith(f"{asked}-")


def joined_location(bucket: str, model: str, run: str) -> str:
    """Address of the list of what a join has written."""
    return f"s3://{bucket}/{layout.join_prefix(model, run)}{ROWS}"


def levels_location(bucket: str, model: str, run: str) -> str:
    """Address of the list of the table of levels that a join's rows are counted by."""
    return f"s3://{bucket}/{layout.join_prefix(model, run)}{_LEVELS}"


def locations(bucket: str, model: str, run: str) -> tuple[str, str]:
    """Addresses of a join's lists of objects, of answers and of labels."""
    below = f"s3://{bucket}/{layout.join_prefix(model, run)}"
    return below + _ANSWERS, below + _LABELS


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


def save_list(
    s3: Any, bucket: str, prefix: str, *, answers: Iterable[str] | None = None, labels: Iterable[str] | None = None
) -> None:
    """Write which objects Athena shall read."""
    for below, keys in ((_ANSWERS, answers), (_LABELS, labels)):
        if keys is not None:
            s3.put_object(Bucket=bucket, Key=f"{prefix}{below}{_LIST}", Body=_listing(bucket, keys))


def keep_inputs(s3: Any, bucket: str, prefix: str, *, answers: Iterable[str], labels: Iterable[str]) -> None:
    """Write which objects Athena shall read; an earlier attempt's lists stay: what it has joined or counted is of them."""
    for below, keys in ((_ANSWERS, answers), (_LABELS, labels)):
        keep_list(s3, bucket, prefix + below, keys)


def keep_list(s3: Any, bucket: str, prefix: str, keys: Iterable[str]) -> list[str]:
    """Write a list of objects, unless another attempt was faster; return the list that is there."""
    listed = [*keys]
    if objects.replace(s3, bucket, prefix + _LIST, _listing(bucket, listed), etag=None):
        return listed
    return load_list(s3, bucket, prefix) or []


def load_list(s3: Any, bucket: str, prefix: str) -> list[str] | None:
    """The keys that a list names; None where there is none."""
    found = objects.read(s3, bucket, prefix + _LIST)
    return None if found is None else [line.removeprefix(f"s3://{bucket}/") for line in found[0].decode().splitlines()]


def save_levels(s3: Any, bucket: str, prefix: str, levels: pa.Table) -> None:
    """Write the table of levels, and the list that names it to Athena."""
    import pyarrow.parquet as pq

    sink, key = io.BytesIO(), f"{prefix}levels.parquet"
    pq.write_table(levels, sink)
    s3.put_object(Bucket=bucket, Key=key, Body=sink.getvalue())
    s3.put_object(Bucket=bucket, Key=f"{prefix}{_LEVELS}{_LIST}", Body=_listing(bucket, [key]))


def written(s3: Any, bucket: str, prefix: str) -> list[str]:
    """The keys of what a query has written."""
    return sorted(row_objects.list_sizes(s3, bucket, prefix))


def counted(s3: Any, bucket: str, prefix: str) -> list[str]:
    """The keys of all that was counted of a join."""
    lists = written(s3, bucket, prefix + COUNTED)
    return [key for each in lists for key in load_list(s3, bucket, each.removesuffix(_LIST)) or []]


def load_counts(s3: Any, bucket: str, keys: Iterable[str], schema: pa.Schema) -> list[pa.Table]:
    """What was counted, a table for each object."""
    import pyarrow.parquet as pq

    found = []
    for key in keys:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        found.append(pq.ParquetFile(pa.BufferReader(body)).read(use_threads=False).cast(schema))
    return found


def _listing(bucket: str, keys: Iterable[str]) -> bytes:
    # A list of objects as Hive's SymlinkTextInputFormat reads it. It names what the day objects vouch for: Athena would
    # read whatever lies below a prefix, the parts that a lost race left behind among it.
    return "".join(f"s3://{bucket}/{key}\n" for key in keys).encode()


def load_unloaded(s3: Any, bucket: str, keys: Iterable[str], schema: pa.Schema) -> pa.Table:
    """The rows that a query has written, in these columns and types; none where it found none."""
    import pyarrow.parquet as pq

    parts = [schema.empty_table()]
    for key in keys:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        # Athena writes times as Hive did, without a zone.
        file = pq.ParquetFile(pa.BufferReader(body), coerce_int96_timestamp_unit="us")
        parts.append(file.read(use_threads=False).rename_columns(schema.names).cast(schema))
    return pa.concat_tables(parts)
