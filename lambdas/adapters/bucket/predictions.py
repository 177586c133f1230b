"""The predictions table: every row that was answered, in Parquet parts that a day's object vouches for."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kedge.capture.records import Quarantined
from kedge.own_columns import ROW_ID, names_in_file, rows_named_now
from lambdas.adapters.bucket import layout, row_objects

# So much of a broken record is kept aside: its key and line say where it stands whole.
QUARANTINED_CHARACTERS = 65_536
_QUARANTINE_BYTES = 8 * 1024 * 1024


def part_key(model: str, package_version: str, day: date, folded: Iterable[str]) -> str:
    """Name a part after all that its rows follow from: its objects, and the parts counted before."""
    digest = hashlib.sha256("\n".join(sorted(folded)).encode()).hexdigest()[:16]
    return layout.predictions_part_key(model, package_version, day, digest)


def save_part(s3: Any, bucket: str, key: str, table: pa.Table) -> None:
    """Write one part."""
    import pyarrow.parquet as pq  # 0.35 s to import: not for those who only count

    sink = io.BytesIO()
    # Parts are many and small: opened with zstd, each column of each costs more than its bytes.
    pq.write_table(table, sink, compression="snappy")
    s3.put_object(Bucket=bucket, Key=key, Body=sink.getvalue())


def load_parts(s3: Any, bucket: str, keys: Iterable[str], columns: Sequence[str] | None = None) -> pa.Table | None:
    """The rows of some parts, which a day keeps free of doubles; None where there are none."""
    return _together(_each_part(s3, bucket, keys, columns))


def load_rows(s3: Any, bucket: str, keys: Iterable[str], columns: Sequence[str], ids: Any) -> pa.Table | None:
    """The rows of some parts that have one of these ids; the others are forgotten with their part, so parts may be any number."""
    parts = _each_part(s3, bucket, keys, columns)
    return _together(part.filter(pc.is_in(part.column(ROW_ID), value_set=ids)) for part in parts)


def _each_part(s3: Any, bucket: str, keys: Iterable[str], columns: Sequence[str] | None) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    found = row_objects.read_ahead(s3, bucket, keys)
    return (_read(pq.ParquetFile(pa.BufferReader(content)), columns) for _, content in found if content is not None)


def _together(parts: Iterable[pa.Table]) -> pa.Table | None:
    tables = [*parts]
    return pa.concat_tables(tables, promote_options="default") if tables else None


def _read(file: Any, columns: Sequence[str] | None) -> pa.Table:
    in_file = file.schema_arrow.names
    stored = names_in_file(rows_named_now(in_file) if columns is None else columns, in_file)
    # Parquet gives the columns in the file's order.
    return file.read(columns=[*stored.values()], use_threads=False).select([*stored.values()]).rename_columns([*stored])


def quarantine(
    s3: Any, bucket: str, *, model: str, package_version: str, day: date, records: Sequence[Quarantined]
) -> None:
    """Keep broken records aside with their reason; the same records go to the same keys, some megabytes to each."""
    lines, size = list[bytes](), 0
    for place, r in enumerate(records, start=1):
        # Written as JSON a record may be six times as long.
        told = {"key": r.key, "line": r.line, "reason": r.reason, "record": r.record[:QUARANTINED_CHARACTERS]}
        lines.append(json.dumps(told, sort_keys=True).encode())
        size += len(lines[-1])
        if size > _QUARANTINE_BYTES or place == len(records):
            body = b"\n".join(lines)
            digest = hashlib.sha256(body).hexdigest()[:16]
            key = layout.quarantine_key(model, package_version, day, digest)
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/x-ndjson")
            lines, size = [], 0
