"""A window that Athena joins with its labels and counts: as an endpoint leaves it, with ids at random, and what the queries scan."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa

from kedge.labels.fold import label_schema
from kedge.labels.join_sql import answers_schema
from kedge.own_columns import COLLECTED, EVENT_ID, LABEL, ROW_ID, SOURCE, TIME
from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters.bucket import label_days, layout, predictions
from offline.athena import queries
from offline.cloud_trail import Trail
from offline.iam.guard import Guard
from offline.region import Region
from tests.handlers.aws_world import BUCKET, REGION
from tests.handlers.bookings import load_bookings
from tests.handlers.monitor_world import MODEL, Monitor

NAME = "kedge"
HOUR = 3_600_000_000  # microseconds
LABEL_HOURS_MAX = 36


@contextmanager
def athena(patch: Any, at: datetime) -> Iterator[None]:
    """Have the account run what Athena is asked."""
    patch.setenv("ATHENA_DATABASE", NAME)
    patch.setenv("ATHENA_WORKGROUP", NAME)
    result = {"OutputLocation": f"s3://{BUCKET}/athena/queries/"}
    boto3.client("athena").create_work_group(Name=NAME, Configuration={"ResultConfiguration": result})
    boto3.client("glue").create_database(DatabaseInput={"Name": NAME})
    region = Region(start=at, name=REGION, seed=0, directory=Path(os.devnull))
    queries.install(region, Guard(region, Trail(region)))
    try:
        yield
    finally:
        region.close()


def scanned() -> list[int]:
    """The bytes that each query has scanned, in the order in which they were asked."""
    client = boto3.client("athena")
    asked = client.list_query_executions(WorkGroup=NAME)["QueryExecutionIds"]
    found = [client.get_query_execution(QueryExecutionId=each)["QueryExecution"] for each in asked]
    found.sort(key=lambda query: query["Status"]["SubmissionDateTime"])
    return [query["Statistics"]["DataScannedInBytes"] for query in found]


def write_window(world: Monitor, *, end: date, days: int, rows_a_day: int) -> None:
    """Answers of some days, a part a day, with a label for each: real bookings; ids, scores and times hardly repeat."""
    world.freeze_slices()
    rng, bookings = np.random.default_rng(5), load_bookings("2015-10-01", "2016-10-01")
    for day in (end - timedelta(days=number) for number in range(days, 0, -1)):
        answers, labels = _day(world, bookings, day, rows_a_day, rng)
        part = f"predictions/{MODEL}/package=1/date={day}/p.parquet"
        predictions.save_part(world.s3, BUCKET, part, answers)
        world.put(layout.profile_day_key(MODEL, "1", "1", day), encode_day(DayProfile(parts=(part,))))
        world.put(layout.label_day_key(MODEL, day), label_days.encode_labels(labels))


def _day(
    world: Monitor, bookings: pa.Table, day: date, rows: int, rng: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    taken = bookings.take(pa.array(rng.integers(0, bookings.num_rows, rows)))
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1e6)
    times, ids, scores = midnight + np.sort(rng.integers(0, 24 * HOUR, rows)), _ids(rows, rng), rng.beta(2, 5, rows)
    answers = {name: taken.column(name) for name in world.config.feature_names}
    answers |= {ROW_ID: ids, EVENT_ID: _ids(rows, rng), TIME: times, world.config.prediction.name: scores}
    collected = (times // HOUR + rng.integers(1, LABEL_HOURS_MAX, rows)) * HOUR
    labels = {
        ROW_ID: ids,
        LABEL: np.where(rng.random(rows) < scores, "1", "0"),
        COLLECTED: collected,
        SOURCE: [f"labels/{MODEL}/{number}/labels.jsonl" for number in (collected // HOUR).tolist()],
    }
    # Labels come in an order of their own.
    disordered = pa.array(rng.permutation(rows))
    return _table(answers, answers_schema(world.config)), _table(labels, label_schema(())).take(disordered)


def _table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)


def _ids(rows: int, rng: np.random.Generator) -> list[str]:
    random = rng.bytes(16 * rows)
    return [str(uuid.UUID(bytes=random[16 * row : 16 * row + 16], version=4)) for row in range(rows)]
