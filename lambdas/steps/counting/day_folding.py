"""Bring one day of one package up to date with its capture objects, a bounded batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, takewhile
from time import monotonic

import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Hashes
from kedge.capture.id_hashes import hash_ids, in_sample
from kedge.capture.lines import Block, blocks
from kedge.capture.records import CaptureBatch, LineTally, Quarantined, capture_batches, parse_capture_files
from kedge.capture.source import hour_of_key, source_of
from kedge.config.model import ModelConfig
from kedge.errors import DayContendedError, ObjectsRefusedError
from kedge.own_columns import HOUR, ROW_ID, TIME, VARIANT
from kedge.profile.counted_objects import CountedObjects
from kedge.profile.day import DayProfile, batches_of
from lambdas.adapters import clients
from lambdas.adapters.bucket import counted_ids, days, history, row_objects
from lambdas.adapters.captures import inference_logs
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.transform_day import TransformDay
from lambdas.steps.counting.waiting_rows import WaitingBatch, WaitingRows

# This much is read at a time, and leaves a part; what was read waits packed, is counted together, and saved.
BATCH_BYTES = 32 * 1024 * 1024
BATCH_OBJECTS = 20_000
# After this long no further object is begun and what was read is saved, however few rows wait: a run that is killed loses no more.
SAVE_SECONDS = 60
# Behind the reading the ids of each part that the day has are read: 5 milliseconds of CPU time a file (docs/scale.md), and S3's, ten at a time.
SEARCH_SECONDS = 0.015
ATTEMPTS = 5


@dataclass(frozen=True)
class Folded:
    """How much one run added to a day, how often it was saved, and whether the day is up to date now.

    Of the `rows` that were read some may have been left out, because a sample is counted.

    Where it is not, another run goes on with the objects behind the key `after`, or with all. `failed` says which objects S3 refused.
    """

    rows: int = 0
    quarantined: int = 0
    duplicates: int = 0
    saves: int = 0
    is_whole: bool = True
    after: str = ""
    failed: Exception | None = None

    def saved(self, found: DayProfile) -> Folded:
        """With what was saved once more; without its counts, which the days of a backlog would keep until the run ends."""
        return Folded(
            self.rows + sum(found.rows_read.values()),
            self.quarantined + found.quarantined,
            self.duplicates + found.duplicates,
            self.saves + 1,
        )


def uncounted(place: CountingPlace) -> int:
    """How many capture objects of a day are not counted."""
    known, _ = days.load_day(clients.s3(), place.bucket, place.key)
    return sum(1 for _ in place.look(known, lambda _: True).new())


def fold_day(
    place: CountingPlace, has_time: Callable[[float], bool] = lambda _: True, clock: Callable[[], float] = monotonic
) -> Folded:
    """Count what is new, some batches at a time, each time saved before more is read; stop when the time is over.

    A run that lost the race begins again from what the winner wrote, so no object is counted twice or forgotten. The
    parts that it had written stay, named by no day (whoever reads the table reads the parts that days name): the winner
    may have written the very same parts, so it is not safe to delete them.

    Counts cannot be taken back: where an object has changed or vanished, the whole day is counted again.
    """
    watch, added, lost, is_again = Watch(has_time, clock), Folded(), 0, False
    while lost < ATTEMPTS:
        # Listed after the day was read: what another run has counted is not taken for vanished.
        known, etag = days.load_day(clients.s3(), place.bucket, place.key)
        # What vanished has expired since: there is nothing left to count the day again from.
        is_again = is_again and not known.expired
        known, begin = (DayProfile(), "") if is_again else (known, place.after)
        through, saves = DayPass(place, known, watch, begin, is_again=is_again), added.saves
        added, is_ended = _saved(through, etag, added)
        if is_ended and not through.look.is_stale:
            return replace(added, is_whole=not through.is_stopped, after=through.after, failed=through.failed)
        is_again = is_ended
        if not is_ended:
            lost = 1 if added.saves > saves else lost + 1
    raise DayContendedError(key=place.key, attempts=ATTEMPTS)


def _saved(through: DayPass, etag: str | None, added: Folded) -> tuple[Folded, bool]:
    """Save what a pass counts, and say whether it came to its end: where another run has saved, it does not."""
    s3, place = clients.s3(), through.place
    while (found := through.next_counted()) is not None:
        folded = through.known.folded(found)
        if not days.save_day(s3, place.bucket, place.key, folded, etag=etag):
            return added, False
        history.note_parts(place.bucket, place.key, folded.parts)
        added = added.saved(found)
        through.known, etag = days.load_day(s3, place.bucket, place.key)
        if through.known.counted != folded.counted:
            return added, False
    return added, True


@dataclass(frozen=True)
class Watch:
    """How a run knows its time: whether enough is left for some seconds of work behind the reading, and what time it is."""

    has_time: Callable[[float], bool]
    clock: Callable[[], float]


class DayPass:
    """One pass through a day's objects, which counts those that the day does not know.

    `after` is a key behind which it begins. With `is_again` the day is counted anew: what was counted before no longer stands, even
    where nothing is left.
    """

    def __init__(self, place: CountingPlace, known: DayProfile, watch: Watch, after: str, *, is_again: bool) -> None:
        self.place, self.known, self.look = place, known, place.look(known, watch.has_time, after)
        self._watch, self._began_after, self._is_unsaved = watch, after, is_again
        self._batches, self._left = batches_of(self.look.new(), BATCH_BYTES, BATCH_OBJECTS), list[str]()
        self._is_over = self._is_late = False
        self._refused = dict[str, str]()
        # Listing alone may take all the time; the reserve is enough for one batch behind it.
        self._may_read = self._has_time()

    @property
    def failed(self) -> Exception | None:
        """Which objects S3 refused: they keep no other waiting, and the next run asks for them again."""
        if not self._refused:
            return None
        return ObjectsRefusedError(bucket=self.place.captures.bucket, reasons=self._refused)

    @property
    def is_stopped(self) -> bool:
        """Whether its time was over before all was read."""
        return self._is_late or self.look.cut_after is not None

    @property
    def after(self) -> str:
        """Where another run goes on: where the listing was cut if all before is counted, else where this one began."""
        return self._began_after if self._is_late or self.look.cut_after is None else self.look.cut_after

    def next_counted(self) -> DayProfile | None:
        """What is read until it is time to save, counted; None where nothing is left, the time is over, or the day is stale."""
        while not self._is_over:
            counting = DayCounting(self.place, self.known, self._watch.clock)
            self._read(counting)
            self._refused |= {key: str(error) for key, error in counting.refused.items()}
            if self.look.is_stale:
                return None
            found = counting.ended()
            if found.counted.count or (self._is_unsaved and not self.is_stopped):
                self._is_unsaved = False
                return found
        return None

    def _has_time(self) -> bool:
        return self._watch.has_time(SEARCH_SECONDS * len(self.known.parts))

    def _read(self, counting: DayCounting) -> None:
        for keys in chain([self._left] if self._left else [], self._batches):
            self._left = keys
            if not (self._has_time() or self._may_read):
                self._is_over = self._is_late = True
                return
            self._may_read = False
            self._left = counting.read(keys)
            if counting.has_counted or counting.is_late:
                return
        self._is_over = True


class DayCounting:
    """Reads objects of a day, keeps what is broken aside, and counts the rows whose ids were not counted before."""

    def __init__(self, place: CountingPlace, known: DayProfile, clock: Callable[[], float]) -> None:
        self.place, self.known, self._asked = place, known, set[str]()
        self.has_counted = False
        self._clock, self._until = clock, clock() + SAVE_SECONDS
        self._added, self._etags, self._waiting = DayProfile(), dict[str, str](), WaitingRows()
        self.refused, self._last = dict[str, Exception](), ""

    @property
    def is_late(self) -> bool:
        """Whether it is time to save."""
        return self._clock() > self._until

    def read(self, keys: list[str]) -> list[str]:
        """Read some objects, until it is late, and return those that are left; rows wait until there are many, and are counted together."""
        place, tally, aside = self.place, LineTally(), list[Quarantined]()
        for variant, theirs in place.by_variant(keys).items():
            opened = (
                _opened(place, self._begun(theirs), self._etags, tally)
                if place.transforms is None
                else _transformed(place.transforms, self._begun(theirs), self._etags, aside)
            )
            for block in blocks(_as_given(opened, self.refused), BATCH_BYTES):
                self._leave_refused(block)
                self._take_block(block, tally, variant)
                # What was read makes room for what is counted.
                block.pieces.clear()
                if self._waiting.are_many:
                    self._count()
            self._leave_refused(Block())
        if aside:
            self._take(replace(parse_capture_files([], place.config), quarantined=tuple(aside)), (), None)
        return [key for key in keys if key not in self._asked] if self.is_late else []

    def ended(self) -> DayProfile:
        """All that was read, counted."""
        self._count()
        below = (folder.prefix for folder in self.place.folders)
        folders = tuple(prefix for prefix in below if any(key.startswith(prefix) for key in self._etags))
        return replace(self._added, counted=CountedObjects.of(self._etags), folders=folders)

    def _begun(self, keys: list[str]) -> Iterator[str]:
        """One object after the other, at least one, until it is late."""
        for key in keys:
            if self._asked and self.is_late:
                return
            self._asked.add(key)
            yield key

    def _leave_refused(self, block: Block) -> None:
        """Leave out what was read of objects before S3 refused the rest. Lines of an earlier block cannot be taken out any more."""
        if self._last in self.refused:
            raise self.refused[self._last]
        block.pieces[:] = [piece for piece in block.pieces if piece.key not in self.refused]
        block.long[:] = [line for line in block.long if line.key not in self.refused]
        for key in self.refused:
            self._etags.pop(key, None)
        self._last = (block.long or block.pieces)[-1].key if block.long or block.pieces else self._last

    def _take_block(self, block: Block, tally: LineTally, variant: str | None) -> None:
        place = self.place
        named = [f"{piece.key} {self._etags[piece.key]} {piece.before} {piece.end}" for piece in block.pieces]
        for number, batch in enumerate(_batches(block, place.config, tally)):
            # Of a block that is packed itself there is no end to see.
            if self._waiting.are_many:
                self._count()
            of = (*named, f"batch {number}") if number else (*named,)
            self._take(of_day(batch, place.config, place.day), of, variant)

    def _take(self, batch: CaptureBatch, read: tuple[str, ...], variant: str | None) -> None:
        place = self.place
        if batch.quarantined:
            place.keep_aside(batch.quarantined)
        rows, hashes = batch.table, hash_ids(batch.table.column(ROW_ID))
        found = DayProfile(quarantined=len(batch.quarantined), requests=batch.requests_by_hour())
        inside = in_sample(hashes, place.config.capture.counted_percentage)
        if not inside.all():
            left_out = Counter(rows.column(HOUR).filter(pa.array(~inside)).to_pylist())
            found, rows, hashes = replace(found, left_out=left_out), rows.filter(pa.array(inside)), hashes[inside]
        self._add(found, variant)
        self._waiting.add(rows, hashes, read, variant)

    def _count(self) -> None:
        if not self._waiting.batches:
            return
        s3, bucket, ids = clients.s3(), self.place.bucket, self._waiting.ids()
        counted_ids.meet_counted(s3, bucket, ids, (*self.known.parts, *self._added.parts))
        for batch in self._waiting.batches:
            table = batch.table()
            new = ids.new(table.column(ROW_ID).combine_chunks(), batch.hashes)
            found = self._save(table.filter(pa.array(new)), batch.hashes[new], batch) if new.any() else DayProfile()
            self._add(replace(found, duplicates=int((~new).sum())), batch.variant)
        self._waiting, self.has_counted = WaitingRows(), True

    def _save(self, rows: pa.Table, hashes: Hashes, batch: WaitingBatch) -> DayProfile:
        """Write a part of rows that stand in no other one, and count them."""
        if batch.variant is not None:
            rows = rows.append_column(VARIANT, pa.repeat(batch.variant, rows.num_rows))
        percentage = self.place.config.capture.counted_percentage
        # Of another percentage the same objects give other rows: the part that a day names may not change under it.
        sample = (f"{percentage} %",) if percentage < 100 else ()
        return self.place.save_rows(rows, hashes, (*batch.read, *sample, *self.known.parts, *self._added.parts))

    def _add(self, found: DayProfile, variant: str | None) -> None:
        self._added = self._added.folded(found if variant is None else found.of_variant(variant))


def of_day(batch: CaptureBatch, config: ModelConfig, day: date) -> CaptureBatch:
    """What one day counts: all that is of its own hours, or of a log, whose folders tell the arrival, the records of its own time.

    A log's objects are read for each day that they may hold records of, so every record is counted once. What cannot be read is
    kept aside by the day of its arrival.
    """
    if source_of(config).arrival_days is None:
        return batch
    mine = pc.equal(pc.floor_temporal(batch.table.column(TIME), unit="day").cast(pa.date32()), pa.scalar(day))
    aside = tuple(
        record
        for record in batch.quarantined
        if (arrived := hour_of_key(record.key)) is not None and arrived.date() == day
    )
    return CaptureBatch(batch.table.filter(mine), aside)


def _opened(
    place: CountingPlace, keys: Iterator[str], etags: dict[str, str], tally: LineTally
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Open the objects, and note which contents they have; one that vanished meanwhile is left out."""
    with inference_logs.readable(place.captures):
        for key, found in inference_logs.open_lines(clients.s3(), place.captures.bucket, keys):
            etags[key] = found.etag
            yield key, _while_wanted(key, found.content, tally)


def _transformed(
    jobs: TransformDay, keys: Iterator[str], etags: dict[str, str], aside: list[Quarantined]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Open the files of transform jobs one by one; those of a job that has not ended are left out."""
    for key in keys:
        if (records := jobs.open(key, aside)) is not None:
            etags[key] = jobs.manifests[key.rpartition("#")[0]].etag
            yield key, records


def _as_given(
    opened: Iterator[tuple[str, Iterator[bytes]]], refused: dict[str, Exception]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The objects as far as S3 gives them, and which it refuses."""

    def content(key: str, stretches: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from stretches
        except row_objects.REFUSALS as error:
            refused[key] = error

    for key, stretches in opened:
        yield key, content(key, stretches)


def _while_wanted(key: str, content: Iterator[bytes], tally: LineTally) -> Iterator[bytes]:
    return takewhile(lambda _: key not in tally.given_up, content)


def _batches(block: Block, config: ModelConfig, tally: LineTally) -> Iterator[CaptureBatch]:
    """Read a block's records, those that are set aside unread first; lines are numbered in their object."""
    before = {piece.key: piece.before for piece in block.pieces}
    if block.long:
        long = (
            Quarantined(line.key, line.number, line.reason, line.excerpt.decode("utf-8", "replace"))
            for line in block.long
        )
        yield replace(parse_capture_files([], config), quarantined=tuple(long))
    for found in capture_batches(((piece.key, piece.content) for piece in block.pieces), config, tally):
        broken = (replace(record, line=record.line + before[record.key]) for record in found.quarantined)
        yield CaptureBatch(found.table, tuple(broken))
