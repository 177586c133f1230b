"""Rows of Parquet, CSV and JSON lines, from files, folders and S3: a batch at a time and only the requested columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pyarrow as pa

from cli.rows.ahead import ahead
from cli.rows.captures import IS_CAPTURE, capture_schema, captured_batches, is_capture, unread_records
from cli.rows.faults import fault_of, first_line
from cli.rows.formats import (
    BATCH_ROWS,
    CSV,
    ENDINGS,
    LongValueError,
    WrongRowCountError,
    batches_of,
    is_json,
    is_parquet,
    row_count,
    schema_of,
    text_of,
)
from cli.rows.json_lines import BrokenLineError
from cli.rows.sources import NO_COLUMNS, RowSource, UnreadableFileError, find_sources
from kedge.columns.row_batches import COLUMNS_AT_ONCE
from kedge.config.model import ModelConfig

__all__ = ["RowFiles", "UnreadableFileError", "open_rows"]

_A_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError, BrokenLineError, LongValueError, WrongRowCountError)
Reader = Callable[[Generator[pa.RecordBatch, None, None]], Iterator[pa.RecordBatch]]
# Text has no pages that many columns would hold at once, and is parsed whole for every reading.
TEXT_COLUMNS_AT_ONCE = 128


@dataclass(frozen=True)
class DerivedColumn:
    """A column that no file has: what a batch of its sources becomes with it."""

    name: str
    sources: tuple[str, ...]
    add: Callable[[pa.RecordBatch], pa.RecordBatch]


@dataclass(frozen=True)
class RowFiles:
    """The rows of one file, of a folder, or of a prefix in S3; values of CSV stay text until they are cast.

    `told` hears of each batch that is read: the file's name and the batch's rows, counted once a column.
    """

    path: str
    sources: tuple[RowSource, ...]
    schema: pa.Schema
    told: Callable[[str, int], None] = lambda _name, _values: None
    held: tuple[pa.RecordBatch, ...] | None = None
    derived: DerivedColumn | None = None
    captured_by: ModelConfig | None = None

    @property
    def untyped(self) -> bool:
        """Whether the file says nothing of its columns' types, so that all of it is text until it is cast."""
        return self.captured_by is not None or self.sources[0].name.lower().endswith(CSV)

    @property
    def columns_at_once(self) -> int:
        """How many columns may be read in one go in memory that is bounded."""
        return COLUMNS_AT_ONCE if is_parquet(self.sources[0].name) else TEXT_COLUMNS_AT_ONCE

    def groups(self, columns: list[str]) -> list[list[str]]:
        """Columns in as few groups as may be read in one go each.

        With no columns there is no group.
        """
        step = self.columns_at_once
        return [columns[first : first + step] for first in range(0, len(columns), step)]

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    @cached_property
    def total_rows(self) -> int | None:
        """Rows in all, where every file says so itself."""
        counts = [row_count(source) for source in self.sources]
        return None if None in counts else sum(count or 0 for count in counts)

    def read(self, columns: list[str]) -> pa.Table:
        """All rows of some columns."""
        return self._joined(columns, self.batches(columns))

    def head(self, columns: list[str], rows: int) -> pa.Table:
        """The first rows of some columns, or a few more."""
        # As a rule one batch is enough: none is read ahead of it.
        return self._joined(columns, _first(self.batches(columns, min(rows, BATCH_ROWS), read=iter), rows))

    def kept(self, rows: int) -> RowFiles:
        """The same rows, held in memory if there are no more than these: a second reading needs no file."""
        if (self.total_rows or 0) > rows:
            return self
        found, seen = [], 0
        for batch in self.batches(self.schema.names):
            found.append(batch)
            seen += batch.num_rows
            if seen > rows:
                return self
        return replace(self, held=tuple(found))

    def batches(
        self, columns: list[str], batch_rows: int = BATCH_ROWS, *, read: Reader = ahead
    ) -> Iterator[pa.RecordBatch]:
        """The rows of some columns, in the order of the files."""
        if self.derived is None or self.derived.name not in columns:
            yield from self._written(columns, batch_rows, read)
            return
        others = [name for name in columns if name != self.derived.name]
        for batch in self._written([*dict.fromkeys([*others, *self.derived.sources])], batch_rows, read):
            yield self.derived.add(batch).select(columns)

    def _written(self, columns: list[str], batch_rows: int, read: Reader) -> Iterator[pa.RecordBatch]:
        """Columns that the files have."""
        if self.held is not None:
            yield from (batch.select(columns) for batch in self.held)
            return
        for source in self.sources:
            try:
                for batch in read(self._of_source(source, columns, batch_rows)):
                    self.told(source.name, batch.num_rows * len(columns))
                    yield batch.select(columns)
            except KeyError as error:
                reason = f"{first_line(error)}, as in {self.sources[0].name}"
                raise UnreadableFileError(path=source.name, reason=reason) from error
            except _FAULTS as error:
                raise _unreadable(source, error) from error

    def _of_source(
        self, source: RowSource, columns: list[str], batch_rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        if self.captured_by is None:
            yield from batches_of(source, columns, batch_rows)
            return
        with text_of(source) as stream:
            yield from captured_batches(source, stream, self.captured_by, columns)

    def unread(self) -> list[str]:
        """A sentence for each file with captured records that cannot be read."""
        if self.captured_by is None:
            return []
        found = []
        for source in self.sources:
            with text_of(source) as stream:
                found.append(unread_records(source, stream, self.captured_by))
        return [sentence for sentence in found if sentence]

    def _joined(self, columns: list[str], batches: Iterable[pa.RecordBatch]) -> pa.Table:
        found = [pa.Table.from_batches([batch]) for batch in batches]
        if not found:
            return pa.schema([self.schema.field(name) for name in columns]).empty_table()
        try:
            return pa.concat_tables(found, promote_options="permissive").combine_chunks()
        except pa.ArrowTypeError:
            # Numbers in one file, words in another: both are text until they are cast.
            text = pa.schema([(name, pa.string()) for name in columns])
            return pa.concat_tables([table.cast(text) for table in found]).combine_chunks()


def open_rows(
    path: Path | str, *, config: ModelConfig | None = None, header: bool = True, names: tuple[str, ...] = ()
) -> RowFiles:
    """Find the files behind a path and their columns; whatever cannot be read is an `UnreadableFileError`.

    Parameters
    ----------
    config : ModelConfig, optional
        By which files of Data Capture are read.
    header : bool
        Whether files of CSV begin with their columns' names; else they are `names`, or `_c0`, `_c1` and so on.
    """
    place = str(path)
    sources = tuple(replace(source, header=header, names=names) for source in find_sources(place, ENDINGS))
    if not sources:
        reason = "no file of rows is there; names must end in " + ", ".join(ENDINGS)
        raise UnreadableFileError(path=place, reason=reason)
    first = sources[0]
    try:
        schema = schema_of(first)
    except _FAULTS as error:
        raise _unreadable(first, error) from error
    if is_json(first.name) and is_capture(schema.names):
        if config is None:
            raise UnreadableFileError(path=place, reason=IS_CAPTURE)
        return RowFiles(place, sources, capture_schema(config), captured_by=config)
    _refuse_odd_columns(first, schema)
    return RowFiles(place, sources, schema)


def _first(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        rows -= batch.num_rows
        if rows <= 0:
            return


def _refuse_odd_columns(source: RowSource, schema: pa.Schema) -> None:
    if not len(schema):
        raise UnreadableFileError(path=source.name, reason=NO_COLUMNS)
    if source.header and source.name.lower().endswith(CSV) and _looks_like_values(schema.names):
        reason = (
            "its first line holds values where names belong: has it no header? --no-header reads it with columns _c0, _c1, ...; "
            "--columns label,age,plan names them"
        )
        raise UnreadableFileError(path=source.name, reason=reason)
    doubled = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if doubled:
        reason = f"several columns are called {', '.join(doubled)}; rename them"
        raise UnreadableFileError(path=source.name, reason=reason)


def _looks_like_values(names: list[str]) -> bool:
    """Whether these are a row: a number with decimals among them, or whole numbers that are no places (0, 1, 2) and no years."""
    numbers = [name.strip() for name in names if _A_NUMBER.fullmatch(name.strip())]
    if any("." in number for number in numbers):
        return True
    steps = {int(b) - int(a) for a, b in pairwise(numbers)} if all(n.lstrip("+-").isdecimal() for n in numbers) else {0}
    return bool(numbers) and len(numbers) == len(names) > 1 and steps != {1}


def _unreadable(source: RowSource, error: Exception) -> UnreadableFileError:
    try:
        names = schema_of(source).names
    except _FAULTS:
        names = []
    reason = fault_of(source, error, names, is_parquet=is_parquet(source.name))
    return UnreadableFileError(path=source.name, reason=reason)
