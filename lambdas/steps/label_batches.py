"""A model's label files that are new, read and parsed in batches that are each looked for at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.capture.lines import LINE_BYTES_MAX, Block, blocks
from kedge.config.model import ModelConfig
from kedge.labels.fold import waiting_labels
from kedge.labels.ledger import LabelLedger
from kedge.labels.records import parse_labels
from kedge.labels.search import search_days
from lambdas.adapters import clients
from lambdas.adapters.bucket import label_files, row_objects
from lambdas.adapters.bucket.row_objects import Stretches

# How far before its collection a label's row is looked for: twice the label horizon, but a quarter at least, because the horizon is
# what most labels need, and a year and a month at most.
SEARCH_DAYS_MIN, SEARCH_DAYS_MAX = 92, 400
# Labels, and bytes of their files, that are looked for at once and noted: each time the ids of their days are read. A backlog
# makes progress over several runs, in bounded memory.
BATCH_LABELS = 2_000_000
BATCH_BYTES = 256 * 1024 * 1024
# Label files are read this much at a time.
BLOCK_BYTES = 32 * 1024 * 1024
TOO_LONG = f"a line of more than {LINE_BYTES_MAX:,} bytes"


@dataclass(frozen=True)
class LabelPlace:
    """A model's labels, at a logical time; `counted` are the percentages of its rows that were counted lately (`with_percentage`)."""

    bucket: str
    config: ModelConfig
    now: datetime
    horizon_days: float | None
    counted: Mapping[str, int] = field(default_factory=dict)

    @property
    def search_days(self) -> int:
        """How many days before its collection a label's row is looked for."""
        return search_days(self.horizon_days, at_least=SEARCH_DAYS_MIN, at_most=SEARCH_DAYS_MAX)

    @property
    def which(self) -> dict[str, Any]:
        """What the objects of its labels are found by."""
        return {"model": self.config.model, "fields": self.config.labels.fields}


@dataclass(frozen=True)
class Batch:
    """The labels of whole lines of label files, and what of the files has been read with them."""

    labels: tuple[pa.Table, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    partial: Mapping[str, str] = field(default_factory=dict)
    continued: frozenset[str] = frozenset()
    broken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass
class LabelReading:
    """Labels that have been read from one block of lines after the other, the faults of each file, and the byte up to where it was read."""

    labels: list[pa.Table] = field(default_factory=list)
    broken: dict[str, Counter[str]] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether these are as many as are looked for at once."""
        return self.size >= BATCH_BYTES or sum(table.num_rows for table in self.labels) >= BATCH_LABELS

    def take(self, block: Block, place: LabelPlace, collected: Mapping[str, datetime]) -> None:
        """Read the labels of a block."""
        labels, fields = place.config.labels, place.config.labels.fields
        for piece in block.pieces:
            records = parse_labels(piece.content, fields)
            self.broken.setdefault(piece.key, Counter()).update(records.broken)
            dated = waiting_labels(
                records.table,
                collected=collected[piece.key],
                source=piece.key,
                fields=fields,
                id_time_format=labels.id_time_format,
            )
            self.labels.append(dated)
            self.ends[piece.key] = piece.end
        for line in block.long:
            self.broken.setdefault(line.key, Counter()).update([TOO_LONG])
            self.ends[line.key] = line.end
        self.size += block.size


def batches(place: LabelPlace, ledger: LabelLedger, listing: Mapping[str, str]) -> Iterator[tuple[Batch, bool]]:
    """The lines of the files collected before now, a bounded amount at a time, and which batch is the last; it may be empty."""
    times = {key: label_files.collected_at(key, place.config.model) for key in ledger.new_files(listing)}
    collected = {key: time for key, time in times.items() if time is not None and time < place.now}
    due = [*collected]
    opened, begun, reading = dict[str, Stretches](), set[str](), LabelReading()
    for block in blocks(_opened(place, ledger, due, listing, opened), min(BLOCK_BYTES, BATCH_BYTES)):
        reading.take(block, place, collected)
        if not reading.is_full:
            continue
        batch, reading = _batch_of(reading, opened, begun), LabelReading()
        is_last = not due and not opened
        yield batch, is_last
        del batch
        if is_last:
            return
    yield _batch_of(reading, opened, begun), True


def _opened(
    place: LabelPlace, ledger: LabelLedger, due: list[str], listing: Mapping[str, str], opened: dict[str, Stretches]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Open the files that are due one by one, behind what has been read of them; one that vanished meanwhile is left out."""
    s3, bucket = clients.s3(), place.bucket
    while due:
        key = due.pop(0)
        found = row_objects.open_stretches(s3, bucket, key, start=ledger.read_up_to(key, listing[key]))
        if found is not None and found.start and found.etag != listing[key]:
            found = row_objects.open_stretches(s3, bucket, key)
        if found is not None:
            opened[key] = found
            yield key, found.content


def _batch_of(reading: LabelReading, opened: dict[str, Stretches], begun: set[str]) -> Batch:
    """What has been read; a file that goes on behind it, the last one, stays among those that are open."""
    ends = {key: opened[key].start + end for key, end in reading.ends.items()}
    partial = {key: f"{opened[key].etag} {end}" for key, end in ends.items() if end < opened[key].size}
    batch = Batch(
        tuple(reading.labels),
        {key: found.etag for key, found in opened.items() if key not in partial},
        partial,
        frozenset(key for key, found in opened.items() if found.start or key in begun),
        {key: dict(found) for key, found in reading.broken.items() if found},
    )
    for key in batch.files:
        del opened[key]
    begun.update(partial)
    return batch
