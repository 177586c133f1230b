"""Lines of records, captured or logged: rows for the predictions table, and what cannot be read kept aside with its reason."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.capture.source import Source, hour_of_key, source_of
from kedge.capture.texts import GZIP_MARK
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError
from kedge.own_columns import EVENT_ID, HOUR, ROW_ID, TIME

# Lines that Arrow reads at a time: fewer cost more to set up than to read by themselves, and a broken line has its whole block
# read again in halves.
_BLOCK_LINES, _BLOCK_LINES_MIN = 4096, 128
# Rows are handed on once they are this large: what was zipped may be a thousand times the size of its lines.
BATCH_BYTES = 64 * 1024 * 1024
# What a broken record takes beside its text.
_BROKEN_BYTES = 512
# An object that has more broken lines than this, and more broken than whole ones, holds no records: its rest is not read.
BROKEN_MAX = 100_000
REST_UNREAD = (
    f"the rest of the object is not read: more than {BROKEN_MAX:,} of its lines are broken, and fewer are whole"
)
_GZIP_MARK = f'"{GZIP_MARK}'.encode()


@dataclass(frozen=True)
class Quarantined:
    """A record that could not be read: where it stood, why, and the record itself."""

    key: str
    line: int
    reason: str
    record: str


@dataclass(frozen=True)
class CaptureBatch:
    """What some capture objects held.

    Attributes
    ----------
    table : Table
        `kedge_row_id`, `kedge_event_id`, `kedge_time`, `kedge_hour` (of the object's key), the features, the prediction,
        the classes' probabilities and the context as text, in the order of the files and lines.
    quarantined : tuple of Quarantined
    """

    table: pa.Table
    quarantined: tuple[Quarantined, ...]

    def requests_by_hour(self) -> dict[int, int]:
        """Records of each hour, broken ones among them; those of a key without an hour cannot be placed if broken."""
        events = self.table.group_by(HOUR).aggregate([(EVENT_ID, "count_distinct")]).to_pydict()
        broken = Counter(hour for record in self.quarantined if (hour := _hour_of(record.key)) is not None)
        return dict(Counter(dict(zip(events[HOUR], events[f"{EVENT_ID}_count_distinct"], strict=True))) + broken)


@dataclass
class LineTally:
    """How many lines of each object were read, how many of them are broken, and which objects are given up for it."""

    read: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    given_up: set[str] = field(default_factory=set)

    def take(self, keys: Iterable[str], aside: Iterable[Quarantined]) -> list[Quarantined]:
        """Count lines and the broken ones among them; where an object is given up, say so in place of its further ones."""
        self.read.update(keys)
        kept = []
        for record in aside:
            if record.key in self.given_up:
                continue
            self.broken[record.key] += 1
            kept.append(record)
            if self.broken[record.key] > max(BROKEN_MAX, self.read[record.key] // 2):
                self.given_up.add(record.key)
                kept.append(Quarantined(record.key, record.line + 1, REST_UNREAD, ""))
        return kept


class _Line(NamedTuple):
    key: str
    number: int
    hour: int | None
    text: bytes
    arrived: datetime | None = None


def parse_capture(content: bytes, config: ModelConfig, key: str) -> CaptureBatch:
    """Read the rows of one capture object, as `parse_capture_files` does of several.

    Parameters
    ----------
    content : bytes
        JSON Lines.
    """
    return parse_capture_files([(key, content)], config)


def parse_capture_files(files: Iterable[tuple[str, bytes]], config: ModelConfig) -> CaptureBatch:
    """Read the rows of capture objects at once, as `capture_batches` does bit by bit."""
    batches = [*capture_batches(files, config)]
    if len(batches) == 1:
        return batches[0]
    table = pa.concat_tables([_schema(config).empty_table(), *(batch.table for batch in batches)]).combine_chunks()
    return CaptureBatch(table, tuple(record for batch in batches for record in batch.quarantined))


def capture_batches(
    files: Iterable[tuple[str, bytes]], config: ModelConfig, tally: LineTally | None = None
) -> Iterator[CaptureBatch]:
    """Read the rows of capture objects; a broken line costs that line only, and nothing is raised.

    A request may hold several rows, input and output may be encoded differently, and either may be BASE64. The row id is the
    caller's inference id, else the event id, with `/0`, `/1`, ... behind it where a request held several rows.

    Parameters
    ----------
    files : iterable of (key, content)
        Each key ends in `yyyy/mm/dd/hh/name`. Of an endpoint the hour is the invocation's, of a log that of the arrival. A key
        without one leaves it to the record's time, as a log does.
    tally : LineTally
        Of the objects' earlier lines, where these are not all.
    """
    tally = tally or LineTally()
    tables: list[pa.Table] = []
    broken: list[Quarantined] = []
    held = 0
    for some in _runs(_lines(files, tally, source_of(config))):
        read, aside = _parse_block(some, config)
        tables += read
        broken += (kept := tally.take((line.key for line in some), aside))
        held += sum(table.nbytes for table in read) + sum(len(record.record) + _BROKEN_BYTES for record in kept)
        if held > BATCH_BYTES:
            yield _batch(tables, broken, config)
            tables, broken, held = [], [], 0
    if tables or broken:
        yield _batch(tables, broken, config)


def _lines(files: Iterable[tuple[str, bytes]], tally: LineTally, source: Source) -> Iterator[_Line]:
    """One line after the other: a list of all would take a hundred times the bytes of short ones."""
    for key, content in files:
        arrived = hour_of_key(key)
        hour = _hour_of(key) if source.arrival_days is None else None
        for number, text in enumerate(io.BytesIO(content), start=1):
            if text.strip():
                if key in tally.given_up:
                    break
                yield _Line(key, number, hour, text.removesuffix(b"\n"), arrived)


def _runs(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    """Lines that are read in one go; one that holds gzip is read by itself."""
    run: list[_Line] = []
    for line in lines:
        alone = _GZIP_MARK in line.text
        if run and (alone or len(run) == _BLOCK_LINES):
            yield run
            run = []
        if alone:
            yield [line]
        else:
            run.append(line)
    if run:
        yield run


def _batch(tables: list[pa.Table], broken: list[Quarantined], config: ModelConfig) -> CaptureBatch:
    table = (
        tables[0] if len(tables) == 1 else pa.concat_tables([_schema(config).empty_table(), *tables]).combine_chunks()
    )
    return CaptureBatch(table, tuple(broken))


def _hour_of(key: str) -> int | None:
    folder = key.split("/")[-2:-1]
    return int(folder[0]) if folder and folder[0].isascii() and folder[0].isdigit() and int(folder[0]) < 24 else None


def _parse_block(lines: list[_Line], config: ModelConfig) -> tuple[list[pa.Table], list[Quarantined]]:
    """Sound records together, the others one by one; a block that Arrow refuses in halves."""
    block_rows = source_of(config).block
    if block_rows is None or len(lines) < _BLOCK_LINES_MIN:
        places, table, broken = _parse_lines(lines, range(len(lines)), config)
        return [table], broken
    found = block_rows([line.text for line in lines], config)
    if found is None:
        middle = len(lines) // 2
        halves = [_parse_block(half, config) for half in (lines[:middle], lines[middle:])]
        return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
    read, columns = found
    hours = [lines[i].hour for i in read]
    fast = pa.table([*columns[:3], _hours(hours, columns[2]), *columns[3:]], _schema(config))
    left = np.setdiff1d(np.arange(len(lines)), read)
    if not len(left):
        return [fast], []
    places, slow, broken = _parse_lines(lines, left.tolist(), config)
    order = np.argsort(np.concatenate([read, places]), kind="stable")
    return [pa.concat_tables([fast, slow]).take(pa.array(order))], broken


def _parse_lines(
    lines: list[_Line], chosen: Iterable[int], config: ModelConfig
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], pa.Table, list[Quarantined]]:
    """The chosen lines one by one: the place of each row's line, the rows, and what is broken."""
    source = source_of(config)
    rows: list[list[Any]] = []
    places: list[int] = []
    broken = []
    for place in chosen:
        line = lines[place]
        try:
            found = source.rows(line.text, config)
            for row in found:
                if (reason := source.misplaced(row[2], line.arrived)) is not None:
                    raise UnreadableRecordError(reason=reason)
        except UnreadableRecordError as error:
            broken.append(Quarantined(line.key, line.number, error.reason, line.text.decode("utf-8", "replace")))
            continue
        for row in found:
            hour = row[2].hour if line.hour is None else line.hour
            rows.append([*row[:3], hour, *row[3:]])
            places.append(place)
    schema = _schema(config)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)
    return np.array(places, np.int64), table, broken


def _hours(hours: list[int | None], time: Any) -> Any:
    return pc.coalesce(pa.array(hours, pa.int8()), pc.hour(time).cast(pa.int8()))


def _schema(config: ModelConfig) -> pa.Schema:
    names = [*config.feature_names, *config.answer_columns, *config.context]
    return pa.schema(
        [
            (ROW_ID, pa.string()),
            (EVENT_ID, pa.string()),
            (TIME, pa.timestamp("us", "UTC")),
            (HOUR, pa.int8()),
            *((name, pa.string()) for name in names),
        ]
    )
