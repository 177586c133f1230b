"""What a model's page has shown, kept beside the history: a renewed page lists the newest months alone, not each month of a year.

The months before are read from one object, a zip of the tables. Where the history of an older month changes, whoever changes it
forgets them, and the next page reads all of it once more.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
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
    kept, newest = dict[str, pa.Table](), list[str]()
    if (until := _until(s3, bucket, model)) is not None:
        kept, newest = _kept(s3, bucket, model), _newest_months(since, until, now, judged)
    shown = {}
    for name in SHOWN:
        months = newest if name in kept else None
        shown[name] = history.load_history(s3, bucket, model, name, since=since, months=months)
        if name in kept:
            shown[name] = _renewed(kept[name], shown[name], newest, TABLES[name], since)
    return shown


def save(s3: Any, bucket: str, model: str, rows: dict[str, pa.Table]) -> None:
    """Keep what a page shows; it counts once the model's summary says until when."""
    sink = io.BytesIO()
    # Parquet is packed already.
    with zipfile.ZipFile(sink, "w") as archive:
        for name, found in rows.items():
            archive.writestr(name, history.encode_table(found))
    s3.put_object(Bucket=bucket, Key=layout.shown_key(model), Body=sink.getvalue())


def forget(s3: Any, bucket: str, model: str) -> None:
    """Have the next page read the whole history: an older month of it has changed."""
    s3.put_object(Bucket=bucket, Key=layout.shown_key(model), Body=b"")


def _kept(s3: Any, bucket: str, model: str) -> dict[str, pa.Table]:
    found = objects.read(s3, bucket, layout.shown_key(model))
    if found is None or not found[0]:
        return {}
    with zipfile.ZipFile(io.BytesIO(found[0])) as archive:
        return {
            name: history.read_table(archive.read(name), TABLES[name]) for name in SHOWN if name in archive.namelist()
        }


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


def _renewed(
    before: pa.Table, fresh: pa.Table, newest: Sequence[str], table: HistoryTable, since: datetime
) -> pa.Table:
    """What was kept, with its newest months as they are now: what was replaced by nothing is gone."""
    listed = pc.is_in(pc.strftime(before.column(table.time), "%Y-%m"), pa.array(newest))
    rows = pa.concat_tables([before.filter(pc.invert(listed)), fresh])
    return newest_rows(rows.filter(history.is_since(rows, table, since)), table)
