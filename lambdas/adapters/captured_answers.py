"""What a fleet answered of late, read from its capture files before anything has counted them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.canary import Unread
from kedge.capture_records import TIME, capture_batches, parse_capture_files
from kedge.model_config import ModelConfig
from kedge.outcome_columns import answer_column
from lambdas.adapters import inference_logs


def load_captured_rows(
    s3: Any, bucket: str, prefix: str, config: ModelConfig, *, since: datetime, until: datetime
) -> tuple[pa.Table, Unread]:
    """Read what was asked and answered in `[since, until)`, and what could not be read of its hours.

    Files come minutes late: the last are few. A record that cannot be read is counted by the hour of its file.
    """
    listed: dict[str, str] = {}
    for hour in _hours(since, until):
        listed |= inference_logs.list_day(s3, bucket, f"{prefix}/{hour:%Y/%m/%d/%H}/")
    tables, reasons = [parse_capture_files([], config).table], Counter[str]()
    for block in inference_logs.open_blocks(s3, bucket, listed):
        reasons.update(line.reason for line in block.long)
        for batch in capture_batches(((piece.key, piece.content) for piece in block.pieces), config):
            tables.append(_between(batch.table, since, until))
            reasons.update(record.reason for record in batch.quarantined)
    return pa.concat_tables(tables), Unread(reasons.total(), reasons.most_common(1)[0][0] if reasons else "")


def _between(rows: pa.Table, since: datetime, until: datetime) -> pa.Table:
    moments, kind = rows.column(TIME), rows.schema.field(TIME).type
    return rows.filter(
        pc.and_(pc.greater_equal(moments, pa.scalar(since, kind)), pc.less(moments, pa.scalar(until, kind)))
    )


def answers_of(rows: pa.Table, config: ModelConfig) -> NDArray[np.float64]:
    """The answers as numbers, of several classes their codes; NaN where one cannot be read."""
    classes = config.labels.classes if config.problem != "regression" else ()
    found = answer_column(rows.column(config.prediction.name), config.problem, classes)
    return np.where(found.known | found.outside, found.values, np.nan).astype(np.float64)


def _hours(since: datetime, until: datetime) -> list[datetime]:
    first = since.replace(minute=0, second=0, microsecond=0)
    return [first + timedelta(hours=n) for n in range(int((until - first) / timedelta(hours=1)) + 1)]
