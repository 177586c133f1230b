"""Values of sensitive columns that are no features, read again where they lie: they are counted by group and kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.capture_attributes import attributes_by_request, values_of_rows
from kedge.capture_records import ROW_ID
from kedge.model_config import ModelConfig
from lambdas.adapters import days, objects


def with_sensitive(
    s3: Any, bucket: str, config: ModelConfig, rows: pa.Table, *, since: datetime, until: datetime
) -> pa.Table:
    """Rows answered since then with the columns that the YAML finds in custom attributes or in label records beside them."""
    row_ids = rows.column(ROW_ID).to_pylist()
    for name, values in _load(s3, bucket, config, row_ids, since, until).items():
        rows = rows.append_column(name, values)
    return rows


def _load(
    s3: Any, bucket: str, config: ModelConfig, row_ids: Sequence[str], since: datetime, until: datetime
) -> dict[str, Any]:
    cost = (config.performance.cost_column,) if config.performance.cost_column else ()
    named = dict.fromkeys((*config.fairness.columns, *config.business_columns, *cost))
    other = [name for name in named if name not in config.feature_names and name != config.prediction.name]
    attributes = [name for name in other if name in config.endpoint.custom_attributes]
    fields = [name for name in other if name in config.labels.fields and name not in attributes]
    found: dict[str, Any] = {}
    if attributes:
        captured = days.captured_keys(s3, bucket, config.model, first=since.date(), last=until.date())
        contents = (answer[0] for key in captured if (answer := objects.read(s3, bucket, key)) is not None)
        found |= values_of_rows(row_ids, attributes_by_request(contents, attributes), attributes)
    if fields:
        known = _label_fields(s3, bucket, config.model, fields, since, until)
        none = (None,) * len(fields)
        rows = [known.get(row_id, none) for row_id in row_ids]
        found |= {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(fields)}
    return found


def _label_fields(
    s3: Any, bucket: str, model: str, names: Sequence[str], since: datetime, until: datetime
) -> dict[str, tuple[str | None, ...]]:
    """Extra fields of the label records by row id; of two records for one id the last collected wins."""
    prefix = f"labels/{model}/"
    found: dict[str, tuple[str | None, ...]] = {}
    # '/' sorts before '0', so every object of the first hour sorts after this.
    for key in sorted(objects.list_objects(s3, bucket, prefix, start_after=f"{prefix}{since:%Y/%m/%d/%H}")):
        early = key.removeprefix(prefix)[:13] <= f"{until:%Y/%m/%d/%H}"
        if early and (answer := objects.read(s3, bucket, key)) is not None:
            for line in answer[0].splitlines():
                found |= _fields_of(line, names)
    return found


def _fields_of(line: bytes, names: Sequence[str]) -> dict[str, tuple[str | None, ...]]:
    """One record's fields: beside the truth, in it, or in its metadata."""
    try:
        record = json.loads(line)
        places = (record, record["groundTruthData"], record["eventMetadata"])
        row_id = str(record["eventMetadata"]["eventId"])
        said = [next((place[name] for place in places if place.get(name) is not None), None) for name in names]
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {row_id: tuple(None if value is None else str(value) for value in said)}
