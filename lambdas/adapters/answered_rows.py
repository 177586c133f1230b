"""What every package of a model has answered, and the labels that have come: the raw material of a retraining."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from kedge.labelled_history import Labels
from kedge.model_config import ModelConfig
from kedge.training_rows import ROW_ID, TIME
from lambdas.adapters import days, label_files, objects, predictions


@dataclass(frozen=True)
class AnsweredRows:
    """Rows of the predictions table, the parts that they came from, and the labels by row id."""

    rows: pa.Table | None
    parts: tuple[str, ...]
    labels: Labels


def load_answered_rows(s3: Any, bucket: str, config: ModelConfig, *, since: datetime, until: datetime) -> AnsweredRows:
    """Read the rows of `[since, until)`, whichever package answered them, and the labels collected until then."""
    parts = tuple(valid_parts(s3, bucket, config.model, since.date(), until.date()))
    rows = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, *config.feature_names])
    if rows is None:
        return AnsweredRows(None, (), {})
    found = label_files.load_labels(s3, bucket, config.model, since=since, until=until)
    return AnsweredRows(rows, parts, found.labels)


def valid_parts(s3: Any, bucket: str, model: str, first: date, last: date) -> list[str]:
    """Parts that a day's object vouches for, of every package, from `first` to `last`, both included."""
    named: dict[str, None] = {}
    for key in sorted(objects.list_objects(s3, bucket, f"profiles/{model}/")):
        if first.isoformat() <= key.rsplit("/", 1)[-1].removesuffix(".npz") <= last.isoformat():
            # A day counted against two baselines names the same parts twice.
            named |= dict.fromkeys(days.load_day(s3, bucket, key)[0].parts)
    return list(named)
