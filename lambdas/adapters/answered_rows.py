"""What every package of a model has answered, beside the labels that have come: the raw material of a retraining."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.label_join import join_labels
from kedge.labelled_history import RowsOfSchema
from kedge.model_config import ModelConfig
from kedge.own_columns import ROW_ID, TIME
from lambdas.adapters import days, label_days, package_schemas, predictions


@dataclass(frozen=True)
class AnsweredRows:
    """Rows of the predictions table joined with their labels, by the schema of who answered, and the parts that they came from."""

    rows: tuple[RowsOfSchema, ...]
    parts: tuple[str, ...]


def load_answered_rows(s3: Any, bucket: str, config: ModelConfig, *, since: datetime, until: datetime) -> AnsweredRows:
    """Read the rows of `[since, until)`, whichever package answered them, with their labels."""
    first, last = since.date(), until.date()
    counted = days.counted_days(s3, bucket, config.model, first=first, last=last)
    of_schema: dict[int, tuple[ModelConfig, list[str]]] = {}
    for key in (key for keys in counted.values() for key in keys):
        # Packages with the YAML's own schema share the YAML itself, and are read together.
        answered = package_schemas.load(s3, bucket, config, key.split("/")[-2])
        of_schema.setdefault(id(answered), (answered, []))[1].append(key)
    labels = [*label_days.load_days(s3, bucket, config.model, first=first, last=last, fields=())] if counted else []
    found, read = list[RowsOfSchema](), list[str]()
    for answered, keys in of_schema.values():
        parts = days.parts_of(s3, bucket, keys)
        rows = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, *answered.feature_names])
        if rows is not None:
            found.append(RowsOfSchema(join_labels(rows, labels, ()), answered))
            read += parts
    return AnsweredRows(tuple(found), tuple(read))
