"""Label days: the labels of a day's answers in one or more objects, with the ledger of the files that were folded into them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from kedge.labels.fold import in_schema, label_schema, waiting_schema
from kedge.labels.ledger import LabelLedger, decode_ledger, encode_ledger
from kedge.own_columns import COLLECTED, LABEL, ROW_ID, labels_named_now
from kedge.stored import LABEL_DAY
from lambdas.adapters.bucket import layout, objects

_VERSION = b"kedge_version"


def encode_labels(table: pa.Table) -> bytes:
    """Labels as their objects hold them."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    # Ids are all different: a dictionary of them is only more to write.
    repeated = [
        name for name in table.column_names if name != ROW_ID and pa.types.is_string(table.schema.field(name).type)
    ]
    table = table.replace_schema_metadata({_VERSION: str(LABEL_DAY.version)})
    pq.write_table(table, sink, compression="snappy", use_dictionary=repeated)
    return sink.getvalue()


def load_object(s3: Any, bucket: str, key: str, *, fields: Sequence[str]) -> tuple[pa.Table, str | None]:
    """The labels in one of a day's objects and its ETag; none and None where it is absent."""
    return _load(s3, bucket, key, label_schema(fields))


def save_object(s3: Any, bucket: str, key: str, labels: pa.Table, *, etag: str | None) -> bool:
    """Replace one of a day's objects if it still is what was read; False where another run was faster."""
    return objects.replace(s3, bucket, key, encode_labels(labels), etag=etag)


def load_days(
    s3: Any, bucket: str, model: str, *, first: date, last: date, fields: Sequence[str]
) -> Iterable[pa.Table]:
    """The labels of the answers from `first` to `last`, both included, object by object in the order of `day_keys`."""
    for key in day_keys(s3, bucket, model, first=first, last=last):
        yield _load(s3, bucket, key, label_schema(fields))[0]


def day_keys(s3: Any, bucket: str, model: str, *, first: date, last: date) -> list[str]:
    """Keys of all objects of the days from `first` to `last`, both included, in the order of days and of writing."""
    # '/' sorts before '0' and after '-', so the first day's own objects sort after this.
    listed = objects.list_objects(
        s3, bucket, layout.label_days_prefix(model), start_after=layout.label_days_prefix(model, first)
    )
    return [key for key in sorted(listed) if key < layout.label_days_prefix(model, last + timedelta(days=1))]


def load_waiting(
    s3: Any, bucket: str, model: str, *, fields: Sequence[str], slot: int = 0
) -> tuple[pa.Table, str | None]:
    """The labels whose row has not been found yet, and the object's ETag."""
    return _load(s3, bucket, layout.waiting_labels_key(model, slot), waiting_schema(fields))


def save_waiting(s3: Any, bucket: str, model: str, labels: pa.Table, *, etag: str | None, slot: int = 0) -> bool:
    """Replace them if they still are what was read; False where another run was faster."""
    return objects.replace(s3, bucket, layout.waiting_labels_key(model, slot), encode_labels(labels), etag=etag)


def load_ledger(s3: Any, bucket: str, model: str, *, fields: Sequence[str]) -> tuple[LabelLedger, str | None]:
    """The ledger and its ETag; an empty one where there is none that was kept with these extra fields."""
    found = objects.decoded(s3, bucket, layout.label_ledger_key(model), decode_ledger)
    ledger = found[0] if found else LabelLedger()
    known = ledger if ledger.fields == tuple(fields) else LabelLedger(tuple(fields), counted=ledger.counted)
    return known, found[1] if found else None


def save_ledger(s3: Any, bucket: str, model: str, ledger: LabelLedger, *, etag: str | None) -> bool:
    """Replace the ledger if it still is what was read; False where another run was faster."""
    return objects.replace(s3, bucket, layout.label_ledger_key(model), encode_ledger(ledger), etag=etag)


def _load(s3: Any, bucket: str, key: str, schema: pa.Schema) -> tuple[pa.Table, str | None]:
    return objects.decoded(s3, bucket, key, lambda content: decode_labels(content, schema)) or (
        schema.empty_table(),
        None,
    )


def decode_labels(content: bytes, schema: pa.Schema) -> pa.Table:
    """Labels from their object's content; null where it has no such field."""
    import pyarrow.parquet as pq  # 0.35 s to import: not for those who only count

    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except pa.ArrowInvalid as error:
        raise LABEL_DAY.incomplete() from error
    version = int((table.schema.metadata or {}).get(_VERSION, b"1"))
    return LABEL_DAY.read({"version": version}, lambda _: _labels(table, schema))


def _labels(table: pa.Table, schema: pa.Schema) -> pa.Table:
    table = table.rename_columns(labels_named_now(table.column_names))
    table.select([ROW_ID, LABEL, COLLECTED])  # without these it is no label
    return in_schema(table, schema)
