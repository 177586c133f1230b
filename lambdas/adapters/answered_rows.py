"""What every package of a model has answered, and the labels that have come: the raw material of a retraining."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.labelled_history import Labels
from kedge.model_config import ModelConfig
from kedge.training_rows import ROW_ID, TIME
from lambdas.adapters import days, label_files, predictions


@dataclass(frozen=True)
class AnsweredRows:
    """Rows of the predictions table, the parts that they came from, and the labels by row id."""

    rows: pa.Table | None
    parts: tuple[str, ...]
    labels: Labels


def load_answered_rows(s3: Any, bucket: str, config: ModelConfig, *, since: datetime, until: datetime) -> AnsweredRows:
    """Read the rows of `[since, until)`, whichever package answered them, and the labels collected until then."""
    by_day = days.parts_by_day(s3, bucket, config.model, since.date(), until.date())
    parts = tuple(part for day in sorted(by_day) for part in by_day[day])
    rows = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, *config.feature_names])
    if rows is None:
        return AnsweredRows(None, (), {})
    found = label_files.load_labels(s3, bucket, config.model, since=since, until=until)
    return AnsweredRows(rows, parts, found.labels)
