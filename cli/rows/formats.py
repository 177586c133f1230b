"""Parquet, CSV and JSON lines as batches of rows, only the requested columns and never a whole file at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cli.rows.json_lines import json_batches
from cli.rows.sources import RowSource

PARQUET, CSV, JSON = (".parquet", ".pq"), (".csv", ".csv.gz"), (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
ENDINGS = (*PARQUET, *CSV, *JSON)
# Small enough for the processor's caches: larger ones cost a multiple.
BATCH_ROWS = 131_072
# A line of CSV that is longer is not read, and neither is a value of Parquet; of long values fewer rows are handed on at a time.
LINE_BYTES = VALUE_BYTES_MAX = 1024 * 1024
BATCH_BYTES = 256 * 1024 * 1024


class LongValueError(ValueError):
    """A value is too long for a row."""


class WrongRowCountError(ValueError):
    """A file holds another number of rows than it says."""


def is_parquet(name: str) -> bool:
    """Whether a file of this name is read as Parquet."""
    return name.lower().endswith(PARQUET)


def is_json(name: str) -> bool:
    """Whether a file of this name is read as lines of JSON."""
    return name.lower().endswith(JSON)


def schema_of(source: RowSource) -> pa.Schema:
    """A file's columns; those of CSV are text, those of JSON lines are what its first lines hold."""
    if is_parquet(source.name):
        with _parquet(source, []) as file:
            return file.schema_arrow
    with _text(source) as stream:
        if is_json(source.name):
            return next(iter(json_batches(stream)), pa.RecordBatch.from_pylist([])).schema
        from pyarrow import csv  # each format's reader is imported where a file needs it

        with csv.open_csv(stream, csv.ReadOptions(block_size=LINE_BYTES)) as reader:
            return pa.schema([(name, pa.string()) for name in reader.schema.names])


def row_count(source: RowSource) -> int | None:
    """Rows of a file, where it says so itself."""
    if not is_parquet(source.name):
        return None
    with _parquet(source, []) as file:
        return int(file.metadata.num_rows)


def batches_of(source: RowSource, columns: list[str], batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of some columns: text of Parquet as dictionaries, values of CSV as the text that they are."""
    if is_parquet(source.name):
        with _parquet(source, columns) as file:
            _refuse_long_values(file.metadata, columns)
            rows, read = file.metadata.num_rows, 0
            for batch in file.iter_batches(batch_rows, columns=columns, use_threads=False):
                read += batch.num_rows
                yield from _bounded(batch)
            if read != rows:
                raise WrongRowCountError(f"its footer says {rows:,} rows, but it has {read:,}")
        return
    with _text(source) as stream:
        if is_json(source.name):
            yield from (_with_columns(batch, columns) for batch in json_batches(stream))
            return
        from pyarrow import csv

        # Types guessed from a file's first megabyte fail on what comes later: everything is text until it is cast.
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), include_columns=columns, strings_can_be_null=False
        )
        with csv.open_csv(stream, csv.ReadOptions(block_size=LINE_BYTES), convert_options=options) as reader:
            yield from reader


def _refuse_long_values(metadata: Any, columns: list[str]) -> None:
    """Refuse a file that says itself that its values are too long: a page of them is read in one go."""
    for group in (metadata.row_group(place) for place in range(metadata.num_row_groups)):
        for chunk in (group.column(place) for place in range(group.num_columns)):
            if chunk.path_in_schema in columns and chunk.total_uncompressed_size > VALUE_BYTES_MAX * max(
                chunk.num_values, 1
            ):
                raise LongValueError(_too_long(chunk.path_in_schema))


def _bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in as many batches as keep each below `BATCH_BYTES`, whatever its dictionaries hold."""
    longest = 1
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_dictionary(column.type) and column.dictionary.nbytes * batch.num_rows > BATCH_BYTES:
            found = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
            if found > VALUE_BYTES_MAX:
                raise LongValueError(_too_long(name))
            longest = max(longest, found)
    rows = max(BATCH_BYTES // longest, 1)
    yield from (batch.slice(start, rows) for start in range(0, max(batch.num_rows, 1), rows))


def _too_long(column: str) -> str:
    return f"column {column!r} holds values of more than {VALUE_BYTES_MAX:,} bytes, too many for a row; leave it out, or write its size"


def _with_columns(batch: pa.RecordBatch, columns: list[str]) -> pa.RecordBatch:
    """A batch of JSON lines in which what no line has is null."""
    arrays = [
        batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, pa.string()) for name in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=columns)


@contextmanager
def _parquet(source: RowSource, dictionaries: list[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    # Buffering ahead would hold a whole file in memory, because every row group is requested.
    with source.open() as opened, pq.ParquetFile(opened, pre_buffer=False) as file:
        # A list or a struct has no dictionary, and asking for one fails.
        flat = {field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)} & {*dictionaries}
        if not flat:
            yield file
            return
        with pq.ParquetFile(opened, metadata=file.metadata, read_dictionary=[*flat], pre_buffer=False) as coded:
            yield coded


@contextmanager
def _text(source: RowSource) -> Iterator[Any]:
    with source.open() as opened:
        if source.name.lower().endswith(".gz"):
            with pa.CompressedInputStream(opened, "gzip") as inflated:
                yield inflated
        else:
            yield opened
