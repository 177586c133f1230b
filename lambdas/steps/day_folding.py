"""Bring one day of one package up to date with its capture objects, a bounded batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import takewhile

import pyarrow as pa
import pyarrow.compute as pc

from kedge.capture.lines import Block, blocks
from kedge.capture.records import CaptureBatch, LineTally, Quarantined, capture_batches, parse_capture_files
from kedge.capture.source import day_folder, hour_of_key, source_of
from kedge.capture.typed_rows import typed_predictions
from kedge.columns.margins import with_margins
from kedge.config.capture_place import CapturePlace, capture_place
from kedge.config.model import ModelConfig
from kedge.errors import DayContendedError
from kedge.own_columns import HOUR, TIME, VARIANT
from kedge.profile.baseline import Baseline
from kedge.profile.counting import count_rows_by_hour
from kedge.profile.day import DayProfile, FoldPlan, batch_of, plan_fold
from lambdas.adapters import clients
from lambdas.adapters.bucket import days, history, layout, predictions
from lambdas.adapters.bucket.counted_ids import CountedIds
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.captures.inference_logs import Captured
from lambdas.adapters.transform_jobs import TransformJobs
from lambdas.steps.transform_day import TransformDay

# This much is counted and saved at a time: a backlog makes progress over several runs, in bounded memory.
BATCH_BYTES = 32 * 1024 * 1024
# Objects beyond this come last in their day, whatever the batches are: of two rows of one id the first read counts.
LARGE_BYTES = BATCH_BYTES
ATTEMPTS = 5


@dataclass(frozen=True)
class CountingPlace:
    """One package's day; of one that only gains, objects that changed or vanished stay counted as they were.

    `beside` are prefixes of the data bucket with what it answered beside a champion, below whose captures these lie.
    """

    bucket: str
    config: ModelConfig
    package_version: str
    baseline: Baseline
    day: date
    only_gains: bool = False
    beside: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Where the day is kept."""
        return layout.profile_day_key(self.config.model, self.package_version, self.baseline.baseline, self.day)

    @property
    def captures(self) -> CapturePlace:
        """Where the package's captures lie."""
        return capture_place(self.config, self.package_version, data_bucket=self.bucket)

    @cached_property
    def transforms(self) -> TransformDay | None:
        """The day's transform jobs, where the model answers in these."""
        if not source_of(self.config).by_manifest:
            return None
        return TransformDay(clients.s3(), TransformJobs(clients.sagemaker()), self.captures, self.config, self.day)

    def listing(self) -> dict[str, Captured]:
        """The capture objects that are there, or the files of transform jobs."""
        if self.transforms is not None:
            return self.transforms.listing()
        captures = self.captures
        with inference_logs.readable(captures):
            found = inference_logs.list_day(clients.s3(), captures, self.config, self.day)
        for prefix in self.beside:
            found |= inference_logs.list_captured(clients.s3(), self.bucket, day_folder(f"{prefix}/", self.day))
        return found

    def by_variant(self, keys: list[str]) -> dict[str | None, list[str]]:
        """The objects by the production variant that wrote them; under None where the model has only one."""
        if not self.config.endpoint.variants:
            return {None: keys}
        prefixes = inference_logs.day_prefixes(self.captures, self.config, self.day)
        found = {name: [key for key in keys if key.startswith(prefix)] for name, prefix in prefixes.items()}
        return {name: theirs for name, theirs in found.items() if theirs}

    def plan(self, known: DayProfile, listing: Mapping[str, Captured]) -> FoldPlan:
        """What is to be counted."""
        etags = {key: found.etag for key, found in listing.items()}
        return plan_fold(known.manifest, etags, only_gains=self.only_gains)


@dataclass(frozen=True)
class Folded:
    """What one run added to a day, in how many batches, and whether the day is up to date now."""

    added: DayProfile
    batches: int
    is_whole: bool = True


def uncounted(place: CountingPlace) -> int:
    """How many capture objects of a day are not counted."""
    known, _ = days.load_day(clients.s3(), place.bucket, place.key)
    return len(place.plan(known, place.listing()).keys)


def fold_day(place: CountingPlace, has_time: Callable[[], bool] = lambda: True) -> Folded:
    """Count what is new, batch by batch, each saved before the next is read; stop when the time is over.

    A run that lost the race begins again from what the winner wrote, so no object is counted twice or forgotten. The
    part that it had written stays, named by no day (whoever reads the table reads the parts that days name): the winner
    may have written the very same part, so it is not safe to delete it.
    """
    s3, ids = clients.s3(), CountedIds(clients.s3(), place.bucket)
    added, batches, lost, listing = DayProfile(), 0, 0, None
    while lost < ATTEMPTS:
        known, etag = days.load_day(s3, place.bucket, place.key)
        if listing is None or not known.manifest.keys() <= listing.keys():
            # Listed after the day was read: what another run has counted is not taken for vanished.
            listing = place.listing()
        plan = place.plan(known, listing)
        if plan.is_empty:
            return Folded(added, batches)
        if not has_time():
            return Folded(added, batches, is_whole=False)
        kept = DayProfile() if plan.rebuild else known
        # What is large comes last: however long it takes to read, it keeps no other object waiting.
        sizes = {key: listing[key].size for key in plan.keys}
        keys = batch_of(dict(sorted(sizes.items(), key=lambda item: item[1] > LARGE_BYTES)), BATCH_BYTES)
        batch = count(place, kept, keys, ids)
        folded = kept.folded(batch)
        if days.save_day(s3, place.bucket, place.key, folded, etag=etag):
            history.note_parts(place.bucket, place.key, folded.parts)
            added, batches, lost = added.folded(batch), batches + 1, 0
            # What has vanished is not asked for again, and what has changed is known as it was read.
            listing = {key: found for key, found in listing.items() if key not in keys}
            listing |= {key: Captured(found, 0) for key, found in batch.manifest.items()}
        else:
            lost, listing = lost + 1, None
    raise DayContendedError(key=place.key, attempts=ATTEMPTS)


def count(place: CountingPlace, known: DayProfile, keys: list[str], ids: CountedIds) -> DayProfile:
    """Read some objects, keep what is broken aside, drop ids that were counted before, and count the rest."""
    etags, tally, aside = dict[str, str](), LineTally(), list[Quarantined]()
    added = DayProfile()
    for variant, theirs in place.by_variant(keys).items():
        opened = (
            _opened(place, theirs, etags, tally)
            if place.transforms is None
            else _transformed(place.transforms, theirs, etags, aside)
        )
        for block in blocks(opened, BATCH_BYTES):
            read = [f"{piece.key} {etags[piece.key]} {piece.before} {piece.end}" for piece in block.pieces]
            batches = (of_day(batch, place.config, place.day) for batch in _batches(block, place.config, tally))
            for number, batch in enumerate(batches):
                named = [*read, f"batch {number}"] if number else read
                parts = (*known.parts, *added.parts)
                added = added.folded(_count_batch(place, batch, parts, named, ids, variant))
    if aside:
        unread = replace(parse_capture_files([], place.config), quarantined=tuple(aside))
        added = added.folded(_count_batch(place, unread, (), [], ids))
    return replace(added, manifest=etags)


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
    place: CountingPlace, keys: list[str], etags: dict[str, str], tally: LineTally
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Open the objects, and note which contents they have; one that vanished meanwhile is left out."""
    with inference_logs.readable(place.captures):
        for key, found in inference_logs.open_lines(clients.s3(), place.captures.bucket, keys):
            etags[key] = found.etag
            yield key, _while_wanted(key, found.content, tally)


def _transformed(
    jobs: TransformDay, keys: list[str], etags: dict[str, str], aside: list[Quarantined]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Open the files of transform jobs one by one; those of a job that has not ended are left out."""
    for key in keys:
        if (records := jobs.open(key, aside)) is not None:
            etags[key] = jobs.manifests[key.rpartition("#")[0]].etag
            yield key, records


def _while_wanted(key: str, content: Iterator[bytes], tally: LineTally) -> Iterator[bytes]:
    return takewhile(lambda _: key not in tally.given_up, content)


def _count_batch(
    place: CountingPlace,
    batch: CaptureBatch,
    parts: tuple[str, ...],
    read: list[str],
    ids: CountedIds,
    variant: str | None = None,
) -> DayProfile:
    s3, config = clients.s3(), place.config
    if batch.quarantined:
        predictions.quarantine(
            s3,
            place.bucket,
            model=config.model,
            package_version=place.package_version,
            day=place.day,
            records=batch.quarantined,
        )
    rows = ids.new_rows(batch.table, parts)
    if variant is not None:
        rows = rows.append_column(VARIANT, pa.repeat(variant, rows.num_rows))
    part: tuple[str, ...] = ()
    if rows.num_rows:
        part = (predictions.part_key(config.model, place.package_version, place.day, [*read, *parts]),)
        ids.save(part[0], rows)
        predictions.save_part(s3, place.bucket, part[0], typed_predictions(rows, config, config.row_identifiers))
    found = DayProfile(
        hours=count_rows_by_hour(place.baseline, with_margins(rows, config), rows.column(HOUR).to_numpy(), times=TIME)
        if rows.num_rows
        else {},
        parts=part,
        quarantined=len(batch.quarantined),
        duplicates=batch.table.num_rows - rows.num_rows,
        requests=batch.requests_by_hour(),
    )
    return found if variant is None else found.of_variant(variant)


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
