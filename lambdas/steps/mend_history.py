"""What the history lacks, written from the reports, the timeline and the counted days."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from kedge.history.tables import TABLES, WRITTEN_AT
from lambdas.adapters.bucket import days, history, objects, shown_history
from lambdas.adapters.bucket.timeline import models_with_timeline
from lambdas.adapters.history import compaction, sources


@dataclass(frozen=True)
class Mended:
    """How many windows, entries and days were written because they were missing, or older than what they follow from."""

    windows: int = 0
    decisions: int = 0
    days: int = 0

    def __add__(self, other: Mended) -> Mended:
        """Both together."""
        return Mended(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def mend(
    s3: Any, bucket: str, *, since: datetime, model: str | None = None, has_time: Callable[[], bool] = lambda: True
) -> Mended:
    """Write what is missing from `since` on, of one model or of each; what the time does not reach, the next night does."""
    there = {
        "windows": _written(s3, bucket, "windows", "report_key", since),
        "decisions": _written(s3, bucket, "decisions", "entry", since),
    }
    found = Mended()
    for name in [model] if model else models_with_timeline(s3, bucket):
        if not has_time():
            break
        mended = Mended(
            _mend_windows(s3, bucket, name, there["windows"], since),
            _mend_decisions(s3, bucket, name, there["decisions"], since),
            _mend_days(s3, bucket, name, since),
        )
        if mended.windows or mended.decisions:
            shown_history.forget(s3, bucket, name)
        found += mended
    return found


def compact_all(
    s3: Any, bucket: str, *, since: datetime, now: datetime, has_time: Callable[[], bool] = lambda: True
) -> int:
    """Compact every table's months from `since` on; return how many were written anew."""
    months = [(name, month) for name in TABLES for month in history.months_of(s3, bucket, name, since=since)]
    return sum(compaction.compact(s3, bucket, name, month, now=now) for name, month in months if has_time())


def _written(s3: Any, bucket: str, table: str, name: str, since: datetime) -> dict[tuple[str, str], datetime]:
    """When each report or entry went into the history last."""
    rows = history.load_history(s3, bucket, None, table, since=since).select(["model", name, WRITTEN_AT])
    return {(row["model"], row[name]): row[WRITTEN_AT].replace(tzinfo=UTC) for row in rows.to_pylist()}


def _mend_windows(s3: Any, bucket: str, model: str, there: dict[tuple[str, str], datetime], since: datetime) -> int:
    reports = sources.reports(s3, bucket, model, since=since)
    missing = [key for key, kept in reports.items() if _is_older(there.get((model, key)), kept)]
    for key in missing:
        if found := objects.read(s3, bucket, key):
            history.save_window(s3, bucket, json.loads(found[0]), key)
    return len(missing)


def _mend_decisions(s3: Any, bucket: str, model: str, there: dict[tuple[str, str], datetime], since: datetime) -> int:
    entries = sources.entries(s3, bucket, model, since=since)
    missing = [
        key for key, kept in entries.items() if _is_older(there.get((model, history.entry_name(model, key))), kept)
    ]
    for key in missing:
        if found := objects.read(s3, bucket, key):
            history.save_decision(s3, bucket, json.loads(found[0]), key)
    return len(missing)


def _mend_days(s3: Any, bucket: str, model: str, since: datetime) -> int:
    lists = sources.answers_lists(s3, bucket, model)
    counted = sources.counted_days(s3, bucket, model, since=since)
    missing = [key for key, kept in counted.items() if _is_older(lists.get(history.parts_list_of(key)), kept)]
    for key in missing:
        history.save_parts(s3, bucket, key, days.parts_of(s3, bucket, [key]))
    return len(missing)


def _is_older(written: datetime | None, kept: datetime) -> bool:
    return written is None or written < kept
