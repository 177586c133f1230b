"""What a fleet answered of late, read from its capture files before anything has counted them, in bounded memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.capture.even_stretches import Stretch, even_stretches
from kedge.capture.lines import LINE_BYTES_MAX, Block, blocks
from kedge.capture.records import capture_batches, parse_capture_files
from kedge.config.capture_place import CapturePlace
from kedge.config.model import ModelConfig
from kedge.outcomes.columns import answer_column
from kedge.own_columns import TIME
from kedge.release.canary import Unread
from kedge.release.canary_reading import MARK_BYTES, AnswersRead, Reading
from lambdas.adapters.bucket import objects, row_objects
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.captures.inference_logs import Captured

# Of one fleet, at each look: thousands of answers, where some hundred show what sends a canary back.
SAMPLE_BYTES, STRETCH_BYTES = 8 * 2**20, 2**18
# Captures that are read for errors at a time.
_BLOCK_BYTES = 4 * 2**20


# Of records that are longer than a stretch a sample takes more bytes, up to this.
_LONG_SAMPLE_BYTES = 4 * SAMPLE_BYTES


class _Lately:
    """What was read lately, up to some bytes of it: a look asks for most of what the look before asked for."""

    def __init__(self, bytes_max: int) -> None:
        self._max, self._bytes = bytes_max, 0
        self._kept: dict[Hashable, bytes] = {}

    def of(self, what: Hashable, read: Callable[[], bytes]) -> bytes:
        """What stands there; it is read where it is not kept."""
        content = self._kept.pop(what, None)
        if content is None:
            content = read()
            self._bytes += len(content)
        self._kept[what] = content
        while self._bytes > self._max:
            self._bytes -= len(self._kept.pop(next(iter(self._kept))))
        return content


_lately = _Lately(SAMPLE_BYTES)


@dataclass(frozen=True)
class Sample:
    """Rows of a fleet that were asked and answered in a time, and what of its captures could not be read.

    `part` says whether they are a part of all that was captured.
    """

    rows: pa.Table
    unread: Unread
    part: bool


@dataclass(frozen=True)
class FleetCaptures:
    """The capture objects that may hold a fleet's answers of `[since, until)`, by key."""

    bucket: str
    objects: Mapping[str, Captured]
    since: datetime
    until: datetime


def list_fleet(s3: Any, place: CapturePlace, fleet: str, *, since: datetime, until: datetime) -> FleetCaptures:
    """List a fleet's capture objects of these hours, as far as they were written since the first began."""
    listed: dict[str, Captured] = {}
    for hour in _hours(since, until):
        prefix = f"{place.of(fleet)}/{hour:%Y/%m/%d/%H}/"
        listed |= inference_logs.list_captured(s3, place.bucket, prefix, written_since=since)
    return FleetCaptures(place.bucket, listed, since, until)


def load_sample(s3: Any, captures: FleetCaptures, config: ModelConfig, *, since: datetime) -> Sample:
    """Read a sample of `SAMPLE_BYTES` of a fleet's answers since a time, even over it; all where there is no more.

    Files come minutes late: the last are few. A record that cannot be read is counted by the hour of its file.
    """
    sizes = {key: found.size for key, found in captures.objects.items()}
    chosen = even_stretches(sizes, budget=SAMPLE_BYTES, stretch=STRETCH_BYTES)
    taken: list[Stretch] = []

    def contents() -> Iterator[tuple[str, bytes]]:
        read = 0
        for stretch in _spread(chosen):
            if read > _LONG_SAMPLE_BYTES:
                return
            found = captures.objects[stretch.key]
            content = _lately.of(
                (captures.bucket, found.etag, stretch),
                partial(_whole_lines, s3, captures.bucket, stretch, found.size),
            )
            read += len(content)
            taken.append(stretch)
            yield stretch.key, content

    tables, reasons = [], Counter[str]()
    # Many small objects are read in one go: a go of its own costs each of them as much as ten rows.
    for batch in capture_batches(contents(), config):
        tables.append(_inside(batch.table, since, captures.until))
        reasons.update(record.reason for record in batch.quarantined)
    left = sum(sizes.values()) - sum(stretch.end - stretch.start for stretch in taken)
    rows = pa.concat_tables(tables or [parse_capture_files([], config).table])
    unread = Unread(reasons.total(), reasons.most_common(1)[0][0] if reasons else "")
    return Sample(rows, unread, left > 0)


def _spread(chosen: list[Stretch]) -> list[Stretch]:
    """The stretches in an order in which every first part is even over the time: halves, quarters, eighths."""
    width = len(chosen).bit_length()
    return [chosen[n] for n in sorted(range(len(chosen)), key=lambda n: f"{n:0{width}b}"[::-1])]


def read_on(
    s3: Any, captures: FleetCaptures, config: ModelConfig, before: Reading, *, may_go_on: Callable[[], bool]
) -> Reading:
    """Count the answers of the objects that are new since the last look, a few megabytes at a time, while there is time."""
    rows, wrong, done, begun, place = before.found.rows, before.found.wrong, before.done, before.begun, before.place
    listed = captures.objects
    marks = {_mark(key, found.etag): key for key, found in listed.items()}
    # What was begun is brought to an end first.
    for mark in sorted(marks.keys() - done, key=lambda mark: (mark != begun, marks[mark])):
        begun, place = mark, (place if mark == begun else 0)
        for block, end in _blocks(s3, captures.bucket, marks[mark], place, listed[marks[mark]].size):
            for batch in capture_batches(((p.key, p.content) for p in block.pieces), config):
                table = _inside(batch.table, captures.since, captures.until)
                rows, wrong = rows + len(table), wrong + int((~np.isfinite(answers_of(table, config))).sum())
            place = end
            if not may_go_on():
                behind = sum(listed[marks[other]].size for other in marks.keys() - done) - place
                return Reading(AnswersRead(rows, wrong, behind), done, begun, place)
        done |= {mark}
    return Reading(AnswersRead(rows, wrong), done)


def _blocks(s3: Any, bucket: str, key: str, start: int, size: int) -> Iterator[tuple[Block, int]]:
    """An object's lines a few megabytes at a time, each with the byte up to where they stand; nothing of one that is gone."""
    # S3 refuses a range that begins where an object ends.
    opened = row_objects.open_stretches(s3, bucket, key, start=start) if start < size else None
    for block in blocks([(key, opened.content)], _BLOCK_BYTES) if opened else ():
        yield block, start + max([part.end for part in block.pieces] + [line.end for line in block.long])


def answers_of(rows: pa.Table, config: ModelConfig, classes: tuple[str, ...] | None = None) -> NDArray[np.float64]:
    """The answers as numbers, of several classes their codes (among these, where two packages' differ); NaN where one cannot be read."""
    if classes is None or config.problem != "multiclass_classification":
        classes = config.classes
    found = answer_column(rows.column(config.prediction.name), config.problem, classes)
    return np.where(found.known | found.outside, found.values, np.nan).astype(np.float64)


def _whole_lines(s3: Any, bucket: str, stretch: Stretch, size: int) -> bytes:
    """The lines that stand in a stretch whole; where lines are longer than that, the first one behind its start."""
    content, end = objects.read_range(s3, bucket, stretch.key, stretch.start, stretch.end), stretch.end
    lines = content.split(b"\n")
    if len(lines) < 3 and end < size:
        end = min(end + LINE_BYTES_MAX, size)
        lines = (content + objects.read_range(s3, bucket, stretch.key, stretch.end, end)).split(b"\n")[:3]
    elif end == size:
        lines.append(b"")
    # What stands before the first end of a line is another stretch's, unless it begins the object; the last has no end here.
    return b"\n".join(lines[1 if stretch.start else 0 : -1])


def _inside(rows: pa.Table, since: datetime, until: datetime) -> pa.Table:
    moments, kind = rows.column(TIME), rows.schema.field(TIME).type
    inside = pc.and_(pc.greater_equal(moments, pa.scalar(since, kind)), pc.less(moments, pa.scalar(until, kind)))
    return rows.filter(inside)


def _mark(key: str, etag: str) -> bytes:
    return hashlib.sha256(f"{key} {etag}".encode()).digest()[:MARK_BYTES]


def _hours(since: datetime, until: datetime) -> list[datetime]:
    first = since.replace(minute=0, second=0, microsecond=0)
    return [first + timedelta(hours=n) for n in range(int((until - first) / timedelta(hours=1)) + 1)]
