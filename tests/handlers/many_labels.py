"""A day's answers and their labels in any number, cheaply made: ids, and nothing beside them."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kedge.capture.id_hashes import encode_hashes, hash_ids
from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters.bucket import layout
from lambdas.adapters.bucket.counted_ids import hashes_key
from tests.handlers.captured_rows import put
from tests.handlers.monitor_world import MODEL

PART_ROWS = 50_000
FILE_LABELS = 500_000
_RECORD = '{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "row-%024d"}, "eventVersion": "0"}'


def answered_day(day: date, rows: int) -> None:
    """Count a day of so many answers, in parts."""
    noon, parts = datetime(day.year, day.month, day.day, 12, tzinfo=UTC), list[str]()
    for start in range(0, rows, PART_ROWS):
        ids = pa.array([f"row-{number:024d}" for number in range(start, min(start + PART_ROWS, rows))])
        columns = {"kedge_row_id": ids, "kedge_time": pa.repeat(noon, len(ids)), "prediction": pa.repeat(0.5, len(ids))}
        parts.append(f"predictions/{MODEL}/package=1/date={day}/p{start:09d}.parquet")
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        put(parts[-1], sink.getvalue())
        put(hashes_key(parts[-1]), encode_hashes(hash_ids(ids)))
    put(layout.profile_day_key(MODEL, "1", "1", day), encode_day(DayProfile(parts=tuple(parts))))


def labels_of_rows(collected: datetime, first: int, last: int) -> None:
    """Labels of the rows of these numbers, in files of one hour, in no order: each file has some of every part."""
    numbers = np.random.default_rng(1).permutation(np.arange(first, last))
    for start in range(0, len(numbers), FILE_LABELS):
        content = "\n".join(_RECORD % number for number in numbers[start : start + FILE_LABELS])
        put(f"labels/{MODEL}/{collected:%Y/%m/%d/%H}/{start:09d}.jsonl", content.encode())
