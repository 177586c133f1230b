"""What every package of a model has answered, beside the labels that have come: the raw material of a retraining."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.label_join import join_labels
from kedge.model_config import ModelConfig
from kedge.own_columns import ROW_ID, TIME
from lambdas.adapters import days, label_days, predictions


@dataclass(frozen=True)
class AnsweredRows:
    """Rows of the predictions table joined with their labels, and the parts that they came from."""

    rows: pa.Table | None
    parts: tuple[str, ...]


def load_answered_rows(s3: Any, bucket: str, config: ModelConfig, *, since: datetime, until: datetime) -> AnsweredRows:
    """Read the rows of `[since, until)`, whichever package answered them, with their labels."""
    first, last = since.date(), until.date()
    counted = days.counted_days(s3, bucket, config.model, first=first, last=last)
    parts = tuple(days.parts_of(s3, bucket, [key for keys in counted.values() for key in keys]))
    rows = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, *config.feature_names])
    if rows is None:
        return AnsweredRows(None, ())
    labels = label_days.load_days(s3, bucket, config.model, first=first, last=last, fields=())
    return AnsweredRows(join_labels(rows, labels, ()), parts)
