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
from kedge.capture_records import parse_capture_files
from kedge.model_config import ModelConfig
from kedge.outcome_columns import answer_column
from kedge.own_columns import TIME
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
    batch = parse_capture_files(inference_logs.read_files(s3, bucket, listed), config)
    rows = batch.table
    moments, kind = rows.column(TIME), rows.schema.field(TIME).type
    inside = pc.and_(pc.greater_equal(moments, pa.scalar(since, kind)), pc.less(moments, pa.scalar(until, kind)))
    reasons = Counter(record.reason for record in batch.quarantined)
    return rows.filter(inside), Unread(reasons.total(), reasons.most_common(1)[0][0] if reasons else "")


def answers_of(rows: pa.Table, config: ModelConfig, classes: tuple[str, ...] | None = None) -> NDArray[np.float64]:
    """The answers as numbers, of several classes their codes (among these, where two packages' differ); NaN where one cannot be read."""
    if classes is None or config.problem != "multiclass_classification":
        classes = config.labels.classes if config.problem != "regression" else ()
    found = answer_column(rows.column(config.prediction.name), config.problem, classes)
    return np.where(found.known | found.outside, found.values, np.nan).astype(np.float64)


def _hours(since: datetime, until: datetime) -> list[datetime]:
    first = since.replace(minute=0, second=0, microsecond=0)
    return [first + timedelta(hours=n) for n in range(int((until - first) / timedelta(hours=1)) + 1)]
