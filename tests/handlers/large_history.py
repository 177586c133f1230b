"""A model's answers and labels in any number, cheaply made: real bookings over and over, under new ids."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kedge.config.model import ModelConfig
from kedge.labels.fold import label_schema
from kedge.labels.join_sql import answers_schema
from kedge.profile.day import DayProfile, encode_day
from tests.handlers.bookings import load_bookings

MICROSECONDS = 1_000_000
DELAY = timedelta(days=2)


def write_history(
    put: Callable[[str, bytes], object], config: ModelConfig, *, first: date, days: int, rows_a_day: int
) -> None:
    """Answers of some days, a part a day that the day's object vouches for, each labelled two days later."""
    model, bookings = config.model, load_bookings("2015-10-01", "2016-10-01")
    for number in range(days):
        day = first + timedelta(days=number)
        answers, labels = _day(config, bookings, day, number * rows_a_day, rows_a_day)
        part = f"predictions/{model}/package=1/date={day}/p.parquet"
        put(part, _parquet(answers))
        put(f"profiles/{model}/1/1/{day}.npz", encode_day(DayProfile(parts=(part,))))
        put(f"labelled/{model}/date={day}/labels.parquet", _parquet(labels))


def _day(config: ModelConfig, bookings: pa.Table, day: date, start: int, rows: int) -> tuple[pa.Table, pa.Table]:
    places = pa.array(np.arange(start, start + rows) % bookings.num_rows)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    seconds = np.arange(rows) * 86_400 // rows
    times = pa.array((int(midnight.timestamp()) + seconds) * MICROSECONDS, pa.timestamp("us", "UTC"))
    ids = pa.array([f"row-{number:024d}" for number in range(start, start + rows)])
    values = bookings.select([*config.feature_names, "label"]).take(places)
    own = {"kedge_row_id": ids, "kedge_time": times, "prediction": pa.array(np.full(rows, 0.5))}
    schema = pa.schema(
        [field for field in answers_schema(config) if field.name in own or field.name in values.column_names]
    )
    answers = pa.table(
        [own.get(name) or values.column(name).cast(schema.field(name).type) for name in schema.names], schema
    )
    collected = pa.array([midnight + DELAY]).take(pa.array(np.zeros(rows, int))).cast(pa.timestamp("us", "UTC"))
    found = {"kedge_row_id": ids, "label": values.column("label").cast(pa.string()), "kedge_collected": collected}
    found["kedge_source"] = pa.array(["labels.jsonl"]).take(pa.array(np.zeros(rows, int)))
    return answers, pa.table(found, label_schema(()))


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="snappy")
    return sink.getvalue()
