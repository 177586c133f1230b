"""The files of one retraining in S3: what is learnt from, what is judged on, and the user's first rows."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from kedge.columns.row_batches import RowBatches
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.errors import InitialRowsError, TrainingColumnMissingError
from kedge.own_columns import LABEL, ROW_ID, TIME, first_rows_names, name_in_first_rows, rows_named_now
from kedge.retraining.labelled_history import RowsOfSchema
from kedge.retraining.rows import BATCH_ROWS, label_texts, typed_rows
from lambdas.adapters.bucket import layout, objects, package_schemas, row_objects

# Of a user's first rows, unpacked: what fits into the function that splits them, with its copies.
INITIAL_VALUES_MAX, INITIAL_BYTES_MAX = 20_000_000, 256 * 2**20


def load_run_config(s3: Any, bucket: str, current: ModelConfig, run: str) -> ModelConfig:
    """The model as the YAML described it when the run's rows were taken."""
    return package_schemas.load_from(s3, bucket, current, layout.retraining_key(current.model, run, layout.SCHEMA))


def save_file(s3: Any, bucket: str, key: str, content: bytes, content_type: str) -> None:
    """Write one file of a snapshot; a rerun writes the same bytes to the same key."""
    s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)


def load_file(s3: Any, bucket: str, key: str) -> bytes:
    """Read one file of a snapshot."""
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def load_json(s3: Any, bucket: str, key: str) -> Any:
    """Read one JSON document of a snapshot."""
    return json.loads(load_file(s3, bucket, key))


def load_table(s3: Any, bucket: str, key: str) -> pa.Table:
    """Read one Parquet file of a snapshot."""
    table = pq.read_table(io.BytesIO(load_file(s3, bucket, key)))
    return table.rename_columns(rows_named_now(table.column_names))


@contextmanager
def open_rows(s3: Any, bucket: str, key: str) -> Iterator[RowBatches]:
    """One Parquet file of a snapshot as rows that are read some at a time, in ranges: it may be larger than the memory."""
    with (
        row_objects.open_object(s3, bucket, key) as opened,
        pq.ParquetFile(pa.PythonFile(opened, mode="r"), pre_buffer=False) as file,
    ):
        stored = file.schema_arrow.names
        stored_as = dict(zip(rows_named_now(stored), stored, strict=True))

        def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            names = [stored_as[name] for name in columns]
            for batch in file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
                yield batch.select(names).rename_columns([*columns])

        yield RowBatches(tuple(stored_as), file.metadata.num_rows, read)


def table_bytes(table: pa.Table) -> bytes:
    """Write a table as Parquet."""
    sink = io.BytesIO()
    write_table(table, sink)
    return sink.getvalue()


def write_table(table: pa.Table, file: IO[bytes]) -> None:
    """Write a table as Parquet into an open file, some rows at a time."""
    pq.write_table(table, file, compression="zstd", row_group_size=BATCH_ROWS)


def load_initial_rows(s3: Any, bucket: str, config: ModelConfig, *, may_lack: bool) -> RowsOfSchema | None:
    """Read the user's first rows under our names, the label's time perhaps among them; None without them.

    Where a model serves (`may_lack`), the file may be of an older schema: it lacks features, or has classes of then.

    Raises
    ------
    InitialRowsError
        Saying in the user's own names what the file lacks.
    """
    key = layout.initial_key(config.model)
    try:
        with row_objects.open_object(s3, bucket, key) as opened:
            return read_first_rows(opened, _in_file(config), place=key, may_lack=may_lack)
    except ClientError as error:
        if objects.is_absent(error):
            return None
        raise


def _in_file(config: ModelConfig) -> ModelConfig:
    """The model without the features that a feature group gives: a file of first rows need not have them."""
    given = config.group_features
    return (
        config.model_copy(update={"features": tuple(f for f in config.features if f not in given)}) if given else config
    )


def read_first_rows(opened: Any, config: ModelConfig, *, place: str, may_lack: bool = False) -> RowsOfSchema:
    """Read first rows from an open Parquet file, wherever it lies; `place` is what an error calls it.

    Raises
    ------
    InitialRowsError
        As `load_initial_rows`.
    """
    try:
        table = _read_bounded(opened, place)
        table = table.rename_columns(first_rows_names(table.column_names, config.feature_names))
        _see_times(table, place)
        _see_ids(table, place)
        answered = _schema_of(table, config) if may_lack else None
        typed_rows(table, config, answered=answered)
    except TrainingColumnMissingError as error:
        theirs = (name_in_first_rows(name, (), config.feature_names) for name in error.columns)
        absent = ", ".join(theirs)
        raise InitialRowsError(place=place, fault=f"has no column {absent}") from error
    except (pa.ArrowException, OSError) as error:
        # Arrow's own, of a damaged file, has no number; the network's has one, and is worth another attempt.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InitialRowsError(place=place, fault=f"cannot be read: {_without_values(error)}") from error
    return RowsOfSchema(table, answered)


def _read_bounded(opened: Any, key: str) -> pa.Table:
    """All columns, one after the other: a page of one alone may unpack to two gigabytes, whatever the footer says."""
    source = pa.PythonFile(opened, mode="r")
    with pq.ParquetFile(source, pre_buffer=False) as file:
        schema, rows, metadata = file.schema_arrow, file.metadata.num_rows, file.metadata
    flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
    with pq.ParquetFile(source, metadata=metadata, read_dictionary=flat, pre_buffer=False) as file:
        _refuse_size(key, INITIAL_VALUES_MAX, rows * len(schema), "values (rows times columns)")
        columns, size = dict[str, pa.ChunkedArray](), 0
        for name in schema.names:
            chunks = list[pa.Array]()
            for batch in file.iter_batches(BATCH_ROWS, columns=[name], use_threads=False):
                size += _unpacked_bytes(batch.column(0))
                _refuse_size(key, INITIAL_BYTES_MAX, size, "bytes unpacked")
                chunks.append(batch.column(0).cast(schema.field(name).type))
            columns[name] = pa.chunked_array(chunks, schema.field(name).type)
            if len(columns[name]) != rows:
                fault = f"is damaged: it says that it has {rows:,} rows, and a column has {len(columns[name]):,}"
                raise InitialRowsError(place=key, fault=fault)
    if len(columns) != len(schema):
        raise InitialRowsError(place=key, fault="has several columns of one name")
    return pa.table(columns)


def _unpacked_bytes(values: pa.Array) -> int:
    """What values take one by one: of text that many rows share, each row's."""
    if not pa.types.is_dictionary(values.type):
        return int(values.nbytes)
    lengths = pc.binary_length(values.dictionary)
    return int(values.nbytes + (pc.sum(lengths.take(values.indices).cast(pa.int64())).as_py() or 0))


def _refuse_size(key: str, limit: int, found: int, unit: str) -> None:
    if found > limit:
        fault = f"has more than the {limit:,} {unit} that one function reads: leave out the oldest rows, and columns that are no features"
        raise InitialRowsError(place=key, fault=fault)


def _without_values(error: Exception) -> str:
    """Arrow's sentence without what it quotes of the rows: it goes to the mail and to the timeline."""
    return re.sub(r"'[^']*'|\d{5,}", "...", str(error).partition("\n")[0].rstrip("."))[:200]


def _schema_of(table: pa.Table, config: ModelConfig) -> ModelConfig:
    """What a file of first rows holds of a model."""
    there = {*table.column_names}
    features = tuple(feature for feature in config.features if {feature.name, feature.renamed_from} & there)
    labels = label_texts(table.column(LABEL)) if LABEL in there else pa.array([], pa.string())
    classes = tuple(pc.unique(labels).drop_null().to_pylist())
    return config.model_copy(
        update={"features": features, "labels": config.labels.model_copy(update={"classes": classes})}
    )


def _see_ids(table: pa.Table, key: str) -> None:
    """Refuse rows without an id: two rows without one would count as the same row."""
    if ROW_ID in table.column_names and (empty := table.column(ROW_ID).null_count):
        fault = f"has {counted(empty, 'row')} without {name_in_first_rows(ROW_ID, (), ())}"
        raise InitialRowsError(place=key, fault=fault)


def _see_times(table: pa.Table, key: str) -> None:
    """Refuse times that say no zone, or are none: read as UTC, an hour's error would let the future into the training rows."""
    if TIME not in table.column_names:
        return
    times = table.column(TIME)
    try:
        times.cast(pa.timestamp("us", "UTC"), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        fault = (
            f"holds in its column {name_in_first_rows(TIME, (), ())} what is no time with a zone; write timestamps in UTC, or "
            "text like 2026-03-01T23:30:00Z"
        )
        raise InitialRowsError(place=key, fault=fault) from error
