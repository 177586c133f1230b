"""Rows of Parquet and CSV files and folders, a batch at a time and only the columns asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cli.file_faults import fault_of, first_line
from kedge.errors import RefusedError

PARQUET, CSV = (".parquet", ".pq"), (".csv", ".csv.gz")
BATCH_ROWS = 131_072


class UnreadableFileError(RefusedError):
    """A file cannot be read as rows."""

    def __init__(self, *, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


@dataclass(frozen=True)
class RowFiles:
    """One Parquet or CSV file, or the files of a folder; CSV values stay text until they are cast."""

    path: Path
    files: tuple[Path, ...]
    schema: pa.Schema

    def read(self, columns: list[str]) -> pa.Table:
        """All rows of some columns."""
        batches = list(self.batches(columns))
        return pa.Table.from_batches(batches).combine_chunks() if batches else self._empty(columns)

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The rows of some columns, in the order of the files."""
        for file in self.files:
            try:
                for batch in _batches(file, columns):
                    yield batch.select(columns)
            except KeyError as error:
                raise UnreadableFileError(path=file, reason=f"{first_line(error)}, as in {self.files[0]}") from error
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise _unreadable(file, error) from error

    def _empty(self, columns: list[str]) -> pa.Table:
        return pa.schema([self.schema.field(name) for name in columns]).empty_table()


def open_rows(path: Path) -> RowFiles:
    """Find the files behind a path and their columns; whatever cannot be read is an `UnreadableFileError`."""
    if not path.exists():
        raise UnreadableFileError(path=path, reason="there is no such file or folder")
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = tuple(file for file in found if file.is_file() and file.name.endswith((*PARQUET, *CSV)))
    if not files:
        reason = "no Parquet or CSV file is there; names must end in " + ", ".join((*PARQUET, *CSV))
        raise UnreadableFileError(path=path, reason=reason)
    try:
        schema = _schema(files[0])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(files[0], error) from error
    if len(schema) == 1 and (odd := next((mark for mark in ";\t|" if mark in schema.names[0]), None)):
        reason = f"its values are separated by {odd!r}; write it with commas, or as Parquet"
        raise UnreadableFileError(path=files[0], reason=reason)
    doubled = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if doubled:
        raise UnreadableFileError(path=files[0], reason=f"several columns are called {', '.join(doubled)}; rename them")
    return RowFiles(path, files, schema)


def _schema(file: Path) -> pa.Schema:
    if file.name.endswith(PARQUET):
        return pq.read_schema(file)
    with pa.csv.open_csv(str(file)) as reader:
        return pa.schema([(name, pa.string()) for name in reader.schema.names])


def _batches(file: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    if file.name.endswith(PARQUET):
        with pq.ParquetFile(file, read_dictionary=columns) as opened:
            yield from opened.iter_batches(BATCH_ROWS, columns=columns)
        return
    # Types guessed from a file's first megabyte fail on what comes later: everything is text until it is cast.
    options = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()), include_columns=columns, strings_can_be_null=False
    )
    with pa.csv.open_csv(str(file), convert_options=options) as reader:
        yield from reader


def _unreadable(file: Path, error: Exception) -> UnreadableFileError:
    try:
        names = _schema(file).names
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        names = []
    is_parquet = file.name.endswith(PARQUET)
    return UnreadableFileError(path=file, reason=fault_of(file, error, names, is_parquet=is_parquet))
