"""Values of sensitive columns that are no features, read again where they lie: they are counted by group and kept nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.capture.attributes import attributes_by_request, requests_of, values_of_rows
from kedge.capture.source import source_of
from kedge.config.capture_place import capture_place
from kedge.config.model import ModelConfig
from kedge.labels.join import join_labels, of_ids
from kedge.labels.labelled_rows import with_fields
from kedge.own_columns import FIELD, ROW_ID
from lambdas.adapters.bucket import days, label_days
from lambdas.adapters.captures import inference_logs


def with_sensitive(
    s3: Any, bucket: str, config: ModelConfig, rows: pa.Table, *, since: datetime, until: datetime
) -> pa.Table:
    """Rows answered since then with the columns that the YAML finds in custom attributes or in label records beside them."""
    return with_attributes(
        s3, bucket, config, _with_fields(s3, bucket, config, rows, since, until), since=since, until=until
    )


def with_attributes(
    s3: Any, bucket: str, config: ModelConfig, rows: pa.Table, *, since: datetime, until: datetime
) -> pa.Table:
    """Rows answered since then with the columns that the YAML finds in custom attributes beside them."""
    beside = (*config.endpoint.custom_attributes, *config.context)
    named = [name for name in _asked(config) if name in beside and name not in rows.column_names]
    if named:
        captured = days.captured_folders(s3, bucket, config.model, first=since.date(), last=until.date())
        contents = _contents(s3, bucket, config, captured)
        row_ids = rows.column(ROW_ID).to_pylist()
        said = attributes_by_request(contents, named, requests_of(row_ids))
        for name, values in values_of_rows(row_ids, said, named).items():
            rows = rows.append_column(name, values)
    return rows


def _contents(s3: Any, bucket: str, config: ModelConfig, captured: Mapping[str, list[str]]) -> Iterator[bytes]:
    """What was captured, wherever each package's captures lie."""
    for version, folders in captured.items():
        place = capture_place(config, version, data_bucket=bucket)
        with inference_logs.readable(place):
            keys = inference_logs.keys_below(s3, place.bucket, folders, extension=source_of(config).extension)
            for block in inference_logs.open_blocks(s3, place.bucket, keys):
                yield from (piece.content for piece in block.pieces)


def _with_fields(
    s3: Any, bucket: str, config: ModelConfig, rows: pa.Table, since: datetime, until: datetime
) -> pa.Table:
    fields = config.labels.fields
    if any(name in fields for name in _asked(config)):
        labels = label_days.load_days(s3, bucket, config.model, first=since.date(), last=until.date(), fields=fields)
        # Of all that was answered meanwhile the rows may be a small part.
        found = join_labels(rows.select([ROW_ID]), of_ids(labels, rows.column(ROW_ID)), fields)
        for name in (f"{FIELD}{name}" for name in fields):
            rows = rows.append_column(name, found.column(name))
        rows = with_fields(rows, config)
    return rows


def _asked(config: ModelConfig) -> list[str]:
    """Columns that are counted by, or summed, and that the model does not read."""
    cost = (config.performance.cost_column,) if config.performance.cost_column else ()
    named = dict.fromkeys((*config.fairness.columns, *config.business_columns, *cost))
    return [name for name in named if name not in config.feature_names and name != config.prediction.name]
