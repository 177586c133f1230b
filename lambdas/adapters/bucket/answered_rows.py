"""What every package of a model has answered, beside the labels that have come: the raw material of a retraining."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Any

from kedge.config.model import ModelConfig
from kedge.labels.join import join_labels
from kedge.own_columns import ROW_ID, TIME
from kedge.retraining.labelled_history import RowsOfSchema
from lambdas.adapters.bucket import days, label_days, package_schemas, predictions


@dataclass(frozen=True)
class AnsweredRows:
    """Rows of the predictions table joined with their labels, by the schema of who answered, and the parts that they came from."""

    rows: tuple[RowsOfSchema, ...]
    parts: tuple[str, ...]


def load_answered_rows(s3: Any, bucket: str, config: ModelConfig, *, since: datetime, until: datetime) -> AnsweredRows:
    """Read the rows of `[since, until)`, whichever package answered them, with their labels."""
    first, last = since.date(), until.date()
    answered_in = answered_parts(s3, bucket, config, first=first, last=last)
    labels = [*label_days.load_days(s3, bucket, config.model, first=first, last=last, fields=())] if answered_in else []
    found, read = list[RowsOfSchema](), list[str]()
    # A feature group's record identifier may be among them.
    looked_up_by = config.context if config.training.feature_group is not None else ()
    for answered, parts in answered_in:
        rows = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, *answered.feature_names, *looked_up_by])
        if rows is not None:
            found.append(RowsOfSchema(join_labels(rows, labels, ()), answered))
            read += parts
    return AnsweredRows(tuple(found), tuple(read))


def answered_parts(
    s3: Any, bucket: str, config: ModelConfig, *, first: date, last: date
) -> list[tuple[ModelConfig, list[str]]]:
    """Parts of the predictions table from `first` to `last`, both included, by the schema that they were answered in."""
    counted = days.counted_days(s3, bucket, config.model, first=first, last=last)
    by_schema = _by_schema(s3, bucket, config, chain.from_iterable(counted.values()))
    return [(answered, days.parts_of(s3, bucket, of_it)) for answered, of_it in by_schema]


def _by_schema(s3: Any, bucket: str, config: ModelConfig, keys: Iterable[str]) -> list[tuple[ModelConfig, list[str]]]:
    """The days' keys by the schema that they were answered in: packages of one schema are read together."""
    of_version: dict[str, list[str]] = {}
    for key in keys:
        of_version.setdefault(key.split("/")[-2], []).append(key)
    found: list[tuple[ModelConfig, list[str]]] = []
    for version, of_it in of_version.items():
        schema = package_schemas.load(s3, bucket, config, version)
        same = next((known for other, known in found if other == schema), None)
        if same is None:
            found.append((schema, of_it))
        else:
            same += of_it
    return found
