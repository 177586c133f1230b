"""Real bookings as rows that a model has answered, with labels that came later."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kedge.profile.day import DayProfile, encode_day
from tests.handlers.aws_world import MODEL, World

DATA = Path(__file__).parents[2] / "demo" / "data" / "hotel_bookings.parquet"


def load_bookings(first: str, last: str) -> pa.Table:
    """Bookings that arrived from `first` to `last`, spread over their day's hours."""
    table = pq.read_table(DATA)
    arrived = table.column("timestamp").cast(pa.timestamp("us"))
    inside = pc.and_(
        pc.greater_equal(arrived, pa.scalar(datetime.fromisoformat(first))),
        pc.less(arrived, pa.scalar(datetime.fromisoformat(last))),
    )
    table = table.filter(inside)
    hours = np.arange(table.num_rows) % 24
    times = [t + timedelta(hours=int(h)) for t, h in zip(table.column("timestamp").to_pylist(), hours, strict=True)]
    return table.append_column("kedge_time", pa.array(times, pa.timestamp("us", "UTC")))


def answer(world: World, bookings: pa.Table, *, package_version: str = "1") -> None:
    """Put bookings into the predictions table, a part a day, each vouched for by its day's object."""
    days = pc.strftime(bookings.column("kedge_time"), "%Y-%m-%d").to_pylist()
    rows_of = defaultdict(list)
    for index, day in enumerate(days):
        rows_of[day].append(index)
    names = {"id": "kedge_row_id"}
    for day, indices in rows_of.items():
        rows = bookings.take(indices).rename_columns([names.get(n, n) for n in bookings.column_names])
        rows = rows.set_column(0, "kedge_row_id", rows.column("kedge_row_id").cast(pa.string()))
        rows = rows.append_column("prediction", pa.array(np.full(rows.num_rows, 0.5)))
        part = f"predictions/{MODEL}/package={package_version}/date={day}/p.parquet"
        sink = io.BytesIO()
        kept = ["kedge_row_id", "kedge_time", *world.config.feature_names, "prediction"]
        pq.write_table(rows.select(kept), sink)
        world.put(part, sink.getvalue())
        key = f"profiles/{MODEL}/{package_version}/{package_version}/{day}.npz"
        world.put(key, encode_day(DayProfile(parts=(part,))))


def publish_labels(world: World, bookings: pa.Table, *, until: datetime) -> None:
    """Upload each label a day after it was known, as far as that is before `until`."""
    lines = defaultdict(list)
    columns = (bookings.column(name).to_pylist() for name in ("id", "label", "label_ts", "timestamp"))
    for identity, label, known, arrived in zip(*columns, strict=True):
        due = (max(known, arrived) + timedelta(days=1)).replace(tzinfo=UTC)
        if due < until:
            record = {
                "groundTruthData": {"data": str(label), "encoding": "CSV"},
                "eventMetadata": {"eventId": str(identity)},
            }
            lines[f"labels/{MODEL}/{due:%Y/%m/%d/%H}/labels.jsonl"].append(json.dumps({**record, "eventVersion": "0"}))
    for key, records in lines.items():
        world.put(key, "\n".join(records).encode())
