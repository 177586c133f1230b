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
# Of each column that is read, at a time.
_BUFFER = 256 * 1024
# Blocks of CSV are joined up to this size: of a wide file one holds some hundred rows, and each batch costs something a column.
_JOINED_BYTES = 16 * 1024 * 1024


_DELIMITERS = ",;\t|"
_DECIMAL_COMMA = r"^\s*([+-]?[0-9]+),([0-9]+([eE][+-]?[0-9]+)?)\s*$"
_THOUSANDS = r"^\s*[+-]?\d{1,3}(\.\d{3})+,\d+\s*$"


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
    """A file's columns, with those of objects below them by path (`features.age`) and those that its folders name."""
    return _with_partitions(_flat(_schema_of(source).empty_table()), source).schema


def _schema_of(source: RowSource) -> pa.Schema:
    """Those of CSV are text, those of JSON lines are what its first lines hold."""
    if is_parquet(source.name):
        with _parquet(source, []) as file:
            return file.schema_arrow
    if is_json(source.name):
        with text_of(source) as stream:
            return next(iter(json_batches(stream)), pa.RecordBatch.from_pylist([])).schema
    delimiter, names = _csv_layout(source)
    del delimiter
    return pa.schema([(name, pa.string()) for name in names])


def row_count(source: RowSource) -> int | None:
    """Rows of a file, where it says so itself."""
    if not is_parquet(source.name):
        return None
    with _parquet(source, []) as file:
        return int(file.metadata.num_rows)


def batches_of(source: RowSource, columns: list[str], batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of some columns: text of Parquet as dictionaries, values of CSV as the text that they are."""
    said = {name for name, _ in source.partitions}
    written = [name for name in columns if name not in said]
    for batch in _batches_of(source, written, batch_rows):
        if said:
            yield from _with_partitions(pa.Table.from_batches([batch]), source).select(columns).to_batches()
        else:
            yield batch


def _batches_of(source: RowSource, columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
    if is_parquet(source.name):
        with _parquet(source, columns) as file:
            _refuse_long_values(file.metadata, columns)
            rows, read = file.metadata.num_rows, 0
            for batch in file.iter_batches(batch_rows, columns=columns, use_threads=False):
                read += batch.num_rows
                yield from _bounded(_flat_batch(batch))
            if read != rows:
                raise WrongRowCountError(f"its footer says {rows:,} rows, but it has {read:,}")
        return
    if is_json(source.name):
        with text_of(source) as stream:
            yield from (_with_columns(_flat_batch(batch), columns) for batch in json_batches(stream))
        return
    yield from _joined(_csv_batches(source, columns), batch_rows)


def _joined(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer batches, each as large as is counted in one go."""
    held, held_rows, held_bytes = list[pa.RecordBatch](), 0, 0
    for batch in batches:
        held.append(batch)
        held_rows, held_bytes = held_rows + batch.num_rows, held_bytes + batch.nbytes
        if held_rows >= rows or held_bytes >= _JOINED_BYTES:
            yield pa.concat_batches(held)
            held, held_rows, held_bytes = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def _csv_batches(source: RowSource, columns: list[str]) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv  # each format's reader is imported where a file needs it

    delimiter, names = _csv_layout(source)
    # Arrow takes no columns for all of them; where only folders name the columns, one is read for its number of rows.
    wanted = columns or names[:1]
    # Types guessed from a file's first megabyte fail on what comes later: everything is text until it is cast.
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
    )
    reading = csv.ReadOptions(block_size=LINE_BYTES, column_names=None if source.header else names)
    with (
        text_of(source) as stream,
        csv.open_csv(stream, reading, csv.ParseOptions(delimiter=delimiter), options) as reader,
    ):
        for batch in reader:
            yield batch if delimiter == "," else _with_decimal_points(batch)


def _csv_layout(source: RowSource) -> tuple[str, list[str]]:
    """What separates a file's values, by its first line, and its columns."""
    from pyarrow import csv

    with text_of(source) as stream:
        first = bytes(stream.read(LINE_BYTES)).partition(b"\n")[0]
    counts = {sign: first.count(sign.encode()) for sign in _DELIMITERS}
    delimiter = "," if counts[","] and source.header else max(_DELIMITERS, key=counts.__getitem__)
    options = csv.ReadOptions(block_size=LINE_BYTES, autogenerate_column_names=not source.header)
    with text_of(source) as stream, csv.open_csv(stream, options, csv.ParseOptions(delimiter=delimiter)) as reader:
        found = list(reader.schema.names)
    if source.header:
        return delimiter, found
    if source.names and len(source.names) != len(found):
        raise WrongRowCountError(f"its first line has {len(found)} values, and --columns names {len(source.names)}")
    return delimiter, list(source.names) or [f"_c{place}" for place in range(len(found))]


def _with_decimal_points(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Between semicolons, tabs and bars a comma may be the decimal sign, and then a point may stand between thousands."""
    columns = [
        pc.replace_substring_regex(_without_thousands(column), _DECIMAL_COMMA, r"\1.\2") for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _without_thousands(column: pa.Array) -> pa.Array:
    found = pc.match_substring_regex(column, _THOUSANDS)
    return pc.if_else(found, pc.replace_substring(column, ".", ""), column) if pc.any(found).as_py() else column


def _flat(table: pa.Table) -> pa.Table:
    """Objects below a column as columns of their own, named by their path."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _flat_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    if not any(pa.types.is_struct(field.type) for field in batch.schema):
        return batch
    flat = _flat(pa.Table.from_batches([batch])).combine_chunks()
    return pa.RecordBatch.from_arrays([one.combine_chunks() for one in flat.columns], schema=flat.schema)


def _with_partitions(table: pa.Table, source: RowSource) -> pa.Table:
    for name, value in source.partitions:
        if name not in table.column_names:
            table = table.append_column(
                name, pa.array([value], pa.string()).take(pa.array([0] * table.num_rows, pa.int32()))
            )
    return table


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
    # A batch of no columns would have no rows.
    wanted = columns or batch.schema.names
    arrays = [
        batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, pa.string()) for name in wanted
    ]
    return pa.RecordBatch.from_arrays(arrays, names=wanted)


@contextmanager
def _parquet(source: RowSource, dictionaries: list[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    # Buffering ahead would hold a whole file in memory, because every row group is requested; without a buffer each column's
    # whole chunk of a row group would be.
    with source.open() as opened, pq.ParquetFile(opened, pre_buffer=False, buffer_size=_BUFFER) as file:
        # A list or a struct has no dictionary, and asking for one fails.
        flat = {field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)} & {*dictionaries}
        if not flat:
            yield file
            return
        with pq.ParquetFile(
            opened, metadata=file.metadata, read_dictionary=[*flat], pre_buffer=False, buffer_size=_BUFFER
        ) as coded:
            yield coded


@contextmanager
def text_of(source: RowSource) -> Iterator[Any]:
    """A file's bytes, unzipped."""
    with source.open() as opened:
        if source.name.lower().endswith(".gz"):
            with pa.CompressedInputStream(opened, "gzip") as inflated:
                yield inflated
        else:
            yield opened
