"""Bring the label days up to date with the label files that have come: list, diff, find each label's row, fold, note it last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Bools
from kedge.capture.id_hashes import hash_ids
from kedge.config.model import ModelConfig
from kedge.errors import DayContendedError
from kedge.instants import to_text
from kedge.labels.fold import (
    REACHED,
    SEARCHED,
    FoldReport,
    each_once,
    in_schema,
    label_schema,
    last_collected,
    merge_labels,
    waiting_schema,
)
from kedge.labels.ledger import FoldedFiles, LabelLedger
from kedge.labels.sampled import may_be_counted, surely_counted, with_percentage
from kedge.labels.search import Found, find_rows, given_up
from kedge.own_columns import ROW_ID, SOURCE
from lambdas.adapters import clients
from lambdas.adapters.bucket import label_days, label_files, layout
from lambdas.adapters.bucket.answered_ids import AnsweredIds
from lambdas.steps.label_batches import Batch, LabelPlace, batches

# A file that is put below an hour longer ago is not found: the ledger knows of no older ones.
LABEL_LOOK_BACK_DAYS = 30
# Each run lists this many days, and all days of the look-back once this many days have passed: most files come when they are collected.
LISTED_DAYS = 7
# An object of labels that wait gets no more of them once it holds this many: each is looked at by itself.
SLOT_LABELS = 250_000
# Labels are merged into a day's newest object up to this many; more of them become its next object.
DAY_LABELS = 250_000
ATTEMPTS = 5
# What became of a label that was looked for.
STATE, WAITS, MATCHED, UNKNOWN = "state", 0, 1, 2


@dataclass(frozen=True)
class FoldStep:
    """What is looked for at a time: the labels that wait in one object, and a batch of new ones.

    `is_due` says whether there is anything to look for, `is_again` that each of these labels has had its first search, and
    `is_enough` that after this step every label has.
    """

    slot: int
    waiting: tuple[pa.Table, str | None]
    batch: Batch
    is_due: bool
    is_again: bool
    is_enough: bool
    is_last: bool


def fold_labels(
    bucket: str,
    config: ModelConfig,
    *,
    now: datetime,
    horizon_days: float | None,
    has_time: Callable[[], bool] = lambda: True,
) -> FoldReport:
    """Fold every label that was collected before now and is new, try again those that wait, and say what it took.

    Whatever is interrupted is done again: the ledger is written last, merging a label again changes nothing, and a run that lost
    a race merges into what the winner wrote. A run whose time is over stops between two steps, and the next one goes on with the
    labels that have waited longest. It is whole once each label has had its first search: looking again at the days that can still
    gain rows is work for the time that is left.
    """
    place, s3 = LabelPlace(bucket, config, now, horizon_days), clients.s3()
    ledger, etag = label_days.load_ledger(s3, bucket, **place.which)
    since = ledger.listed_since(now, every_run_days=LISTED_DAYS, look_back_days=LABEL_LOOK_BACK_DAYS)
    is_sweep = since is None or now - since > timedelta(days=LISTED_DAYS)
    listed = label_files.list_files(s3, bucket, config.model, since=since)
    listing = {key: etag for key, etag in listed.items() if label_files.collected_at(key, config.model) is not None}
    # Not noted in the ledger: they are told as long as they lie there.
    astray = {*label_files.list_astray(s3, bucket, config.model), *(listed.keys() - listing.keys())}
    answers, report = AnsweredIds(s3, bucket, config.model), FoldReport()
    left = {int(slot): ledger.waiting.get(slot, 0) for slot in ledger.looked}
    place = replace(place, counted=counted_lately(place, ledger, answers))
    for step in steps(place, ledger, listing, left):
        folded, found = fold_step(place, answers, step, ledger.objects, has_time)
        left[step.slot] = found.waiting
        ledger, etag = note(place, (ledger, etag), folded, step, is_sweep=is_sweep)
        report = replace(report.then(found), is_whole=found.is_whole and step.is_enough)
        has_worked = bool(step.batch.labels) or report.days_opened > 0
        del step
        if not found.is_whole or (has_worked and not has_time()):
            break
    return replace(
        report,
        waiting=sum(left.values()),
        unknown_lately=sum(ledger.unknown.values()),
        broken_lately={**ledger.broken_by_reason, **{f"{key} is not below yyyy/mm/dd/hh": 1 for key in sorted(astray)}},
    )


def counted_lately(place: LabelPlace, ledger: LabelLedger, answers: AnsweredIds) -> dict[str, int]:
    """Which percentage of the rows was counted since when, as far back as rows are looked for."""
    known, percentage = dict(ledger.counted), place.config.capture.counted_percentage
    if not known and percentage < 100:
        # A model that was sampled from its first day on has nothing else to remember.
        first = answers.days_since(place.now.date() - timedelta(days=place.search_days))[:1]
        known = {"": percentage} if not first or answers.is_sampled(first[0]) else {}
    # Labels that wait are given up some days later.
    return with_percentage(known, percentage, place.now, keep_days=place.search_days + LABEL_LOOK_BACK_DAYS)


def steps(
    place: LabelPlace, ledger: LabelLedger, listing: Mapping[str, str], left: Mapping[int, int]
) -> Iterator[FoldStep]:
    """Every batch with an object that has room for what will be left of it, and every object of labels that wait and are due once.

    First come those with labels that lack their first search, last those that are only looked for again.

    Parameters
    ----------
    left : mapping of int to int
        How many labels wait in each object, but for those that lack a first search and have not been looked at yet.
    """
    first, again = ledger.unsearched, ledger.due(place.now)

    def step(slot: int, batch: Batch, *, is_last: bool) -> FoldStep:
        is_first, is_due = slot in first, slot in (*first, *again)
        for slots in (first, again):
            if slot in slots:
                slots.remove(slot)
        waiting = label_days.load_waiting(clients.s3(), place.bucket, slot=slot, **place.which)
        taken = batch if not batch.labels or waiting[0].num_rows < SLOT_LABELS else Batch()
        has_new, is_enough = bool(taken.labels), is_last and taken is batch and not first
        return FoldStep(
            slot,
            waiting,
            taken,
            is_due=is_due or has_new,
            is_again=not (is_first or has_new),
            is_enough=is_enough,
            is_last=is_enough and not again,
        )

    for batch, is_last in batches(place, ledger, listing):
        taken = None
        while taken is not batch:
            room = next((slot for slot in left if left[slot] < SLOT_LABELS), len(left))
            found = step([*first, *([] if batch.labels else again), room][0], batch, is_last=is_last)
            taken = found.batch
            yield found
        # The next ones are read before these names would change hands.
        del batch, taken, found
    while first or again:
        yield step([*first, *again][0], Batch(), is_last=True)


def fold_step(
    place: LabelPlace, answers: AnsweredIds, step: FoldStep, objects: Mapping[str, int], has_time: Callable[[], bool]
) -> tuple[FoldedFiles, FoldReport]:
    """Put new labels, and those that wait, where their rows are; a search that is cut is gone on with by the next run."""
    batch, known = step.batch, step.waiting[0]
    came = pa.concat_tables([waiting_schema(place.config.labels.fields).empty_table(), *batch.labels])
    fresh = came
    if place.counted:
        fresh = came.filter(pa.array(may_be_counted(came, place.counted, place.now, limit_days=place.search_days)))
    rows = pa.concat_tables([known, fresh]) if step.is_due else known.slice(0, 0)
    rows, _ = hashed = each_once(rows, hash_ids(rows.column(ROW_ID)))
    before, limit = answers.opened, place.search_days
    found = find_rows(hashed, answers.of_day, answers.days_since, now=place.now, limit_days=limit, has_time=has_time)
    newest = {
        day.isoformat(): fold_day(place, day, rows, which, objects.get(day.isoformat(), 0))
        for day, which in found.by_day()
    }
    waiting, unknown = settle(place, step, with_state(rows, found, place.now), fresh)
    is_whole = step.is_again or found.is_searched
    looked = to_text(place.now) if step.is_due and not found.cut.any() else ""
    report = FoldReport(
        files=len(batch.files),
        labels=came.num_rows,
        left_out=came.num_rows - fresh.num_rows,
        broken=sum(sum(each.values()) for each in batch.broken.values()),
        days_opened=found.opened,
        objects_opened=answers.opened - before,
        matched=int((~found.nowhere).sum()),
        waiting=waiting,
        unknown=sum(unknown.values()),
        is_whole=is_whole,
    )
    files = FoldedFiles(batch.files, batch.broken, unknown, batch.partial, batch.continued, step.slot, waiting, newest)
    return replace(files, looked=looked if is_whole and waiting else None), report


def fold_day(place: LabelPlace, day: date, rows: pa.Table, which: Bools, number: int) -> int:
    """Merge some labels into a day's objects from one on, each as far as it has room; return the number of the last one."""
    schema, places = label_schema(place.config.labels.fields), np.flatnonzero(which)
    for start in range(0, len(places), DAY_LABELS):
        some = np.zeros(len(which), bool)
        some[places[start : start + DAY_LABELS]] = True
        number = fold_into(place, day, in_schema(rows.filter(pa.array(some)), schema), number)
    return number


def fold_into(place: LabelPlace, day: date, labels: pa.Table, number: int) -> int:
    """Merge labels into one of a day's objects up to its room, and the rest into the next ones; return the number of the last one.

    A run that lost the race merges them into what the winner wrote, and one that died before it noted them finds them there.
    """
    s3, bucket, losses = clients.s3(), place.bucket, 0
    while losses < ATTEMPTS:
        key = layout.label_day_key(place.config.model, day, number)
        known, etag = label_days.load_object(s3, bucket, key, fields=place.config.labels.fields)
        there = pc.is_in(labels.column(ROW_ID), value_set=known.column(ROW_ID).combine_chunks()).to_numpy()
        fits = there | (known.num_rows + np.cumsum(~there) <= DAY_LABELS)
        merged = merge_labels(known, labels.filter(pa.array(fits))) if fits.any() else known
        is_new = not merged.equals(known)
        # A full one stays as it is: what a day's labels cost to write grows with them alone.
        is_full = is_new and known.num_rows >= DAY_LABELS
        if is_new and not is_full and not label_days.save_object(s3, bucket, key, merged, etag=etag):
            losses += 1
            continue
        labels = labels if is_full else labels.filter(pa.array(~fits))
        if not labels.num_rows:
            return number
        number += 1
    raise DayContendedError(key=key, attempts=ATTEMPTS)


def with_state(rows: pa.Table, found: Found, now: datetime) -> pa.Table:
    """The labels that were looked for, with what became of each."""
    state = np.where(found.nowhere, np.where(given_up(rows, now) & ~found.cut, UNKNOWN, WAITS), MATCHED)
    searched = rows.set_column(rows.schema.get_field_index(SEARCHED), SEARCHED, pa.array(found.searched, pa.bool_()))
    searched = searched.set_column(rows.schema.get_field_index(REACHED), REACHED, found.reached)
    return searched.append_column(STATE, pa.array(state, pa.int8()))


def settle(place: LabelPlace, step: FoldStep, looked: pa.Table, fresh: pa.Table) -> tuple[int, dict[str, int]]:
    """Keep the labels that still wait; return how many, and how many were given up of each file."""
    s3, model, slot, (waiting, etag) = clients.s3(), place.config.model, step.slot, step.waiting
    settled = looked if step.is_due else still_waiting(waiting)
    for _ in range(ATTEMPTS):
        left = settled.filter(pc.equal(settled.column(STATE), WAITS)).drop_columns([STATE])
        if left.equals(waiting) or label_days.save_waiting(s3, place.bucket, model, left, etag=etag, slot=slot):
            return left.num_rows, missed(place, settled.filter(pc.equal(settled.column(STATE), UNKNOWN)))
        waiting, etag = label_days.load_waiting(s3, place.bucket, slot=slot, **place.which)
        # What another run has settled meanwhile waits no longer, whatever became of it here.
        ids = pa.chunked_array([*waiting.column(ROW_ID).chunks, *fresh.column(ROW_ID).chunks], pa.string())
        mine = looked.filter(pc.is_in(looked.column(ROW_ID), value_set=ids))
        settled = last_collected(pa.concat_tables([still_waiting(waiting), mine]))
    raise DayContendedError(key=layout.waiting_labels_key(model, slot), attempts=ATTEMPTS)


def still_waiting(labels: pa.Table) -> pa.Table:
    """Labels that nothing new is known of."""
    return labels.append_column(STATE, pa.repeat(pa.scalar(WAITS, pa.int8()), labels.num_rows))


def missed(place: LabelPlace, gone: pa.Table) -> dict[str, int]:
    """How many labels of each file were given up, though their row would have been counted."""
    if place.counted:
        gone = gone.filter(pa.array(surely_counted(gone, place.counted, place.now, limit_days=place.search_days)))
    counts = pc.value_counts(gone.column(SOURCE))
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))


def note(
    place: LabelPlace, before: tuple[LabelLedger, str | None], folded: FoldedFiles, step: FoldStep, *, is_sweep: bool
) -> tuple[LabelLedger, str | None]:
    """Write into the ledger what was folded; return it as it stands."""
    s3, bucket, (ledger, etag) = clients.s3(), place.bucket, before
    first = layout.collected_labels_prefix(place.config.model, place.now - timedelta(days=LABEL_LOOK_BACK_DAYS))
    for _ in range(ATTEMPTS):
        noted = replace(ledger.with_folded(folded, before=before[0]), counted=place.counted)
        # Before the first file has come no backlog has been folded: it may be of any age.
        if step.is_enough and is_sweep and noted.files:
            noted = replace(noted, swept=max(noted.swept, to_text(place.now)))
        noted = noted.since(first) if noted.swept else noted
        if noted == ledger:
            return ledger, etag
        if label_days.save_ledger(s3, bucket, place.config.model, noted, etag=etag):
            return (noted, None) if step.is_last else label_days.load_ledger(s3, bucket, **place.which)
        ledger, etag = label_days.load_ledger(s3, bucket, **place.which)
    raise DayContendedError(key=layout.label_ledger_key(place.config.model), attempts=ATTEMPTS)
