"""What a model's page has shown, kept beside the history: a renewed page lists the newest months alone, not each month of a year.

The months before are read from four objects. Where the history of an older month changes, whoever changes it forgets them, and the
next page reads all of it once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kedge.history.newest import newest_rows
from kedge.history.rows import month_of
from kedge.history.tables import TABLES, HistoryTable
from kedge.instants import from_text
from lambdas.adapters.bucket import history, layout, objects, reports

SHOWN = ("windows", "metrics", "columns", "decisions")


def load(
    s3: Any, bucket: str, model: str, *, since: datetime, now: datetime, judged: datetime | None = None
) -> dict[str, pa.Table]:
    """The rows of a model's page by table, in time.

    Parameters
    ----------
    judged : datetime, optional
        End of the window that was judged just now; it may be an old one.
    """
    until = _until(s3, bucket, model)
    newest = {} if until is None else {name: _newest_months(since, until, now, judged) for name in SHOWN}
    return {name: _load(s3, bucket, model, TABLES[name], since, newest.get(name)) for name in SHOWN}


def save(s3: Any, bucket: str, model: str, rows: dict[str, pa.Table]) -> None:
    """Keep what a page shows; it counts once the model's summary says until when."""
    for name, found in rows.items():
        history.save_table(s3, bucket, layout.shown_key(model, name), found)


def forget(s3: Any, bucket: str, model: str) -> None:
    """Have the next page read the whole history: an older month of it has changed."""
    for name in SHOWN:
        s3.put_object(Bucket=bucket, Key=layout.shown_key(model, name), Body=b"")


def _until(s3: Any, bucket: str, model: str) -> datetime | None:
    written = (reports.load_json(s3, bucket, layout.summary_key(model)) or {}).get("written")
    return from_text(written) if written else None


def _newest_months(since: datetime, until: datetime, now: datetime, judged: datetime | None) -> list[str]:
    """The months in which something may have been written since, ascending."""
    first = min(time for time in (until, now, judged) if time is not None)
    first = max(first, since).astimezone(UTC)
    months: list[str] = []
    last = month_of(max(until, now).astimezone(UTC))
    while not months or months[-1] < last:
        months.append(month_of(first))
        first = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1, day=1)
    return months


def _load(
    s3: Any, bucket: str, model: str, table: HistoryTable, since: datetime, newest: Iterable[str] | None
) -> pa.Table:
    kept = None if newest is None else objects.read(s3, bucket, layout.shown_key(model, table.name))
    if newest is None or kept is None or not kept[0]:
        return history.load_history(s3, bucket, model, table.name, since=since)
    before = history.read_table(kept[0], table)
    months = pa.array(newest)
    listed = pc.is_in(pc.strftime(before.column(table.time), "%Y-%m"), months)
    fresh = history.load_history(s3, bucket, model, table.name, since=since, months=months.to_pylist())
    # A month that is listed again is taken as it is now: what was replaced by nothing is gone.
    rows = pa.concat_tables([before.filter(pc.invert(listed)), fresh])
    return newest_rows(rows.filter(history.is_since(rows, table, since)), table)
