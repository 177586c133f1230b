"""Bring the label days up to date with the label files that have come: list, diff, find each label's row, fold, note it last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.capture_records import ROW_ID
from kedge.errors import DayContendedError
from kedge.fold_report import FoldReport
from kedge.label_fold import (
    SEARCHED,
    SOURCE,
    in_schema,
    label_schema,
    last_collected,
    merge_labels,
    waiting_labels,
    waiting_schema,
)
from kedge.label_ledger import FoldedFiles, LabelLedger
from kedge.label_records import parse_labels
from kedge.label_search import Found, find_rows, given_up, search_days
from kedge.model_config import ModelConfig
from lambdas.adapters import clients, label_days, label_files, objects
from lambdas.adapters.answered_ids import AnsweredIds

# A file that is put below an hour longer ago is not found: the ledger knows of no older ones.
LABEL_LOOK_BACK_DAYS = 30
# So many days are listed with each run, and all of those above once as many have passed: most files come when they are collected.
LISTED_DAYS = 7
# How far before its collection a label's row is looked for: twice the label horizon, but a quarter at least, because the horizon is
# what most labels need, and a year and a month at most.
SEARCH_DAYS_MIN, SEARCH_DAYS_MAX = 92, 400
# So much is folded and noted at a time: a backlog makes progress over several runs, in bounded memory.
BATCH_BYTES = 32 * 1024 * 1024
ATTEMPTS = 5
# What became of a label that was looked for.
STATE, WAITS, MATCHED, UNKNOWN = "state", 0, 1, 2


@dataclass(frozen=True)
class Place:
    """A model's labels, at a logical time."""

    bucket: str
    config: ModelConfig
    now: datetime
    horizon_days: float | None

    @property
    def which(self) -> dict[str, Any]:
        """What the objects of its labels are found by."""
        return {"model": self.config.model, "fields": self.config.labels.fields}


@dataclass(frozen=True)
class LabelFile:
    """A label file as it was read; nothing is read of one whose key tells no hour."""

    key: str
    etag: str
    collected: datetime | None
    content: bytes = b""


def fold_labels(bucket: str, config: ModelConfig, *, now: datetime, horizon_days: float | None) -> FoldReport:
    """Fold every label that was collected before now and is new, try again those that wait, and say what it took.

    Whatever is interrupted is done again: the ledger is written last, merging a label again changes nothing, and a run that lost
    a race merges into what the winner wrote.
    """
    place, s3 = Place(bucket, config, now, horizon_days), clients.s3()
    ledger, etag = label_days.load_ledger(s3, bucket, **place.which)
    since = ledger.listed_since(now, every_run_days=LISTED_DAYS, look_back_days=LABEL_LOOK_BACK_DAYS)
    is_sweep = since is None or now - since > timedelta(days=LISTED_DAYS)
    listing = label_files.list_files(s3, bucket, config.model, since=since)
    answers, report = AnsweredIds(s3, bucket, config.model), FoldReport()
    for files, is_last in batches(place, ledger.new_files(listing), listing):
        folded, step = fold_files(place, answers, files)
        ledger, etag = note(place, (ledger, etag), folded, is_last=is_last, is_sweep=is_sweep)
        report = report.then(step)
    return replace(report, unknown_lately=sum(ledger.unknown.values()), broken_lately=ledger.broken_by_reason)


def batches(place: Place, keys: Sequence[str], listing: Mapping[str, str]) -> Iterator[tuple[list[LabelFile], bool]]:
    """Read the files collected before now, a bounded amount at a time, and say which batch is the last; it may be empty."""
    files, size = list[LabelFile](), 0
    for key in keys:
        if size >= BATCH_BYTES:
            yield files, False
            files, size = [], 0
        collected = label_files.collected_at(key, place.config.model)
        if collected is None:
            files.append(LabelFile(key, listing[key], None))
        elif collected < place.now and (found := objects.read(clients.s3(), place.bucket, key)) is not None:
            files.append(LabelFile(key, found[1], collected, found[0]))
            size += len(found[0])
    yield files, True


def fold_files(place: Place, answers: AnsweredIds, files: Sequence[LabelFile]) -> tuple[FoldedFiles, FoldReport]:
    """Put the labels of some files, and those that wait, where their rows are."""
    fresh, broken = read_labels(place, files)
    known, etag = label_days.load_waiting(clients.s3(), place.bucket, **place.which)
    rows = last_collected(pa.concat_tables([known, fresh]))
    before = answers.opened
    limit = search_days(place.horizon_days, at_least=SEARCH_DAYS_MIN, at_most=SEARCH_DAYS_MAX)
    found = find_rows(rows, answers.of_day, answers.days_since, now=place.now, limit_days=limit)
    for day, which in found.by_day():
        fold_day(place, day, in_schema(rows.filter(pa.array(which)), label_schema(place.config.labels.fields)))
    waiting, unknown = settle(place, (known, etag), with_state(rows, found, place.now), fresh)
    report = FoldReport(
        files=len(files), labels=fresh.num_rows, broken=sum(sum(each.values()) for each in broken.values()),
        days_opened=found.opened, objects_opened=answers.opened - before, matched=int((~found.nowhere).sum()),
        waiting=waiting, unknown=sum(unknown.values()),
    )  # fmt: skip
    return FoldedFiles({file.key: file.etag for file in files}, broken, unknown), report


def read_labels(place: Place, files: Sequence[LabelFile]) -> tuple[pa.Table, dict[str, dict[str, int]]]:
    """The labels of some files, and how many records of each are broken, by reason."""
    labels, fields = place.config.labels, place.config.labels.fields
    tables, broken = [waiting_schema(fields).empty_table()], dict[str, dict[str, int]]()
    for file in files:
        if file.collected is None:
            broken[file.key] = {f"{file.key} is not below yyyy/mm/dd/hh": 1}
            continue
        records = parse_labels(file.content, fields)
        broken |= {file.key: dict(records.broken)} if records.broken else {}
        tables.append(
            waiting_labels(
                records.table,
                collected=file.collected,
                source=file.key,
                fields=fields,
                id_time_format=labels.id_time_format,
            )
        )
    return pa.concat_tables(tables), broken


def fold_day(place: Place, day: date, labels: pa.Table) -> None:
    """Merge labels into a day; a run that lost the race merges them into what the winner wrote."""
    s3, bucket = clients.s3(), place.bucket
    for _ in range(ATTEMPTS):
        known, etag = label_days.load_day(s3, bucket, day=day, **place.which)
        merged = merge_labels(known, labels)
        if merged.equals(known) or label_days.save_day(s3, bucket, place.config.model, day, merged, etag=etag):
            return
    raise DayContendedError(key=label_days.day_key(place.config.model, day), attempts=ATTEMPTS)


def with_state(rows: pa.Table, found: Found, now: datetime) -> pa.Table:
    """The labels that were looked for, with what became of each."""
    state = np.where(found.nowhere, np.where(given_up(rows, now), UNKNOWN, WAITS), MATCHED)
    searched = rows.set_column(rows.schema.get_field_index(SEARCHED), SEARCHED, pa.array(found.searched, pa.bool_()))
    return searched.append_column(STATE, pa.array(state, pa.int8()))


def settle(
    place: Place, known: tuple[pa.Table, str | None], looked: pa.Table, fresh: pa.Table
) -> tuple[int, dict[str, int]]:
    """Keep the labels that still wait; return how many, and how many were given up of each file."""
    s3, (waiting, etag) = clients.s3(), known
    for _ in range(ATTEMPTS):
        # What another run has settled meanwhile waits no longer, whatever became of it here.
        ids = pa.chunked_array([*waiting.column(ROW_ID).chunks, *fresh.column(ROW_ID).chunks], pa.string())
        mine = looked.filter(pc.is_in(looked.column(ROW_ID), value_set=ids))
        theirs = waiting.append_column(STATE, pa.repeat(pa.scalar(WAITS, pa.int8()), waiting.num_rows))
        settled = last_collected(pa.concat_tables([theirs, mine]))
        left = settled.filter(pc.equal(settled.column(STATE), WAITS)).drop_columns([STATE])
        if left.equals(waiting) or label_days.save_waiting(s3, place.bucket, place.config.model, left, etag=etag):
            gone = settled.filter(pc.equal(settled.column(STATE), UNKNOWN))
            return left.num_rows, dict(Counter(gone.column(SOURCE).to_pylist()))
        waiting, etag = label_days.load_waiting(s3, place.bucket, **place.which)
    raise DayContendedError(key=label_days.waiting_key(place.config.model), attempts=ATTEMPTS)


def note(
    place: Place, before: tuple[LabelLedger, str | None], folded: FoldedFiles, *, is_last: bool, is_sweep: bool
) -> tuple[LabelLedger, str | None]:
    """Write into the ledger what was folded; return it as it stands."""
    s3, bucket, (ledger, etag) = clients.s3(), place.bucket, before
    first = label_files.label_prefix(place.config.model, place.now - timedelta(days=LABEL_LOOK_BACK_DAYS))
    for _ in range(ATTEMPTS):
        noted = ledger.with_folded(folded, before=before[0])
        # Before the first file has come no backlog has been folded: it may be of any age.
        if is_last and is_sweep and noted.files:
            noted = replace(noted, swept=max(noted.swept, place.now.isoformat()))
        noted = noted.since(first) if noted.swept else noted
        if noted == ledger:
            return ledger, etag
        if label_days.save_ledger(s3, bucket, place.config.model, noted, etag=etag):
            return (noted, None) if is_last else label_days.load_ledger(s3, bucket, **place.which)
        ledger, etag = label_days.load_ledger(s3, bucket, **place.which)
    raise DayContendedError(key=label_days.ledger_key(place.config.model), attempts=ATTEMPTS)
