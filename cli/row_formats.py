"""Parquet, CSV and JSON lines as batches of rows, only the columns asked for and never a whole file at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from cli.json_rows import json_batches
from cli.row_sources import RowSource

PARQUET, CSV, JSON = (".parquet", ".pq"), (".csv", ".csv.gz"), (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
ENDINGS = (*PARQUET, *CSV, *JSON)
# Small enough for the processor's caches: larger ones cost a multiple.
BATCH_ROWS = 131_072


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

        with csv.open_csv(stream) as reader:
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
            yield from file.iter_batches(batch_rows, columns=columns, use_threads=False)
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
        with csv.open_csv(stream, convert_options=options) as reader:
            yield from reader


def _with_columns(batch: pa.RecordBatch, columns: list[str]) -> pa.RecordBatch:
    """A batch of JSON lines in which what no line has is null."""
    arrays = [
        batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, pa.string()) for name in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=columns)


@contextmanager
def _parquet(source: RowSource, dictionaries: list[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    # Buffering ahead would hold the whole of a file in memory, for every row group is asked for.
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
