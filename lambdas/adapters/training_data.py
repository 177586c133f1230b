"""The files of one retraining in S3: what is learnt from, what is judged on, and the user's first rows."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kedge.errors import InitialRowsError, TrainingColumnMissingError
from kedge.labelled_history import RowsOfSchema
from kedge.model_config import ModelConfig
from kedge.own_columns import LABEL, TIME, first_rows_names, name_in_first_rows, rows_named_now
from kedge.training_rows import label_texts, typed_rows
from lambdas.adapters import objects, package_schemas


def run_prefix(model: str, run: str) -> str:
    """Say where one retraining keeps what decides: rows, truth, manifest, the gate's evidence. Functions alone write there."""
    return f"retraining/{model}/{run}"


def load_run_config(s3: Any, bucket: str, current: ModelConfig, run: str) -> ModelConfig:
    """The model as the YAML described it when the run's rows were taken."""
    return package_schemas.load_from(s3, bucket, current, f"{run_prefix(current.model, run)}/{package_schemas.NAME}")


def trained_prefix(model: str, run: str) -> str:
    """Say where the training job of one retraining writes."""
    return f"trained/{model}/{run}"


def scored_prefix(model: str, run: str) -> str:
    """Say where the transform jobs of one retraining write: answers to be judged, never facts."""
    return f"scored/{model}/{run}"


def save_file(s3: Any, bucket: str, key: str, content: bytes, content_type: str) -> None:
    """Write one file of a snapshot; a rerun writes the same bytes to the same key."""
    s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)


def load_file(s3: Any, bucket: str, key: str) -> bytes:
    """Read one file of a snapshot."""
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def load_json(s3: Any, bucket: str, key: str) -> Any:
    """Read one JSON document of a snapshot."""
    return json.loads(load_file(s3, bucket, key))


def load_table(s3: Any, bucket: str, key: str) -> pa.Table:
    """Read one Parquet file of a snapshot."""
    table = pq.read_table(io.BytesIO(load_file(s3, bucket, key)))
    return table.rename_columns(rows_named_now(table.column_names))


def table_bytes(table: pa.Table) -> bytes:
    """Write a table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def initial_key(model: str) -> str:
    """Say where a user puts a model's first training rows."""
    return f"initial/{model}/training.parquet"


def load_initial_rows(s3: Any, bucket: str, config: ModelConfig, *, may_lack: bool) -> RowsOfSchema | None:
    """Read the user's first rows under our names, the label's time perhaps among them; None without them.

    Where a model serves (`may_lack`), the file may be of an older schema: it lacks features, or has classes of then.

    Raises
    ------
    InitialRowsError
        Saying in the user's own names what the file lacks.
    """
    key = initial_key(config.model)
    found = objects.read(s3, bucket, key)
    if found is None:
        return None
    try:
        table = pq.read_table(io.BytesIO(found[0]))
        table = table.rename_columns(first_rows_names(table.column_names, config.feature_names))
        _see_times(table, key)
        answered = _schema_of(table, config) if may_lack else None
        typed_rows(table, config, answered=answered)
    except TrainingColumnMissingError as error:
        theirs = (name_in_first_rows(name, (), config.feature_names) for name in error.columns)
        absent = ", ".join(theirs)
        raise InitialRowsError(place=key, fault=f"has no column {absent}") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InitialRowsError(place=key, fault=f"cannot be read: {_without_values(error)}") from error
    return RowsOfSchema(table, answered)


def _without_values(error: Exception) -> str:
    """Arrow's sentence without what it quotes of the rows: it goes to the mail and to the timeline."""
    return re.sub(r"'[^']*'|\d{5,}", "...", str(error).partition("\n")[0].rstrip("."))[:200]


def _schema_of(table: pa.Table, config: ModelConfig) -> ModelConfig:
    """What a file of first rows holds of a model."""
    there = {*table.column_names}
    features = tuple(feature for feature in config.features if {feature.name, feature.renamed_from} & there)
    labels = label_texts(table.column(LABEL)) if LABEL in there else pa.array([], pa.string())
    classes = tuple(pc.unique(labels).drop_null().to_pylist())
    return config.model_copy(
        update={"features": features, "labels": config.labels.model_copy(update={"classes": classes})}
    )


def _see_times(table: pa.Table, key: str) -> None:
    """Refuse times that say no zone, or are none: read as UTC, an hour's error would let the future into the training rows."""
    if TIME not in table.column_names:
        return
    times = table.column(TIME)
    try:
        times.cast(pa.timestamp("us", "UTC"), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        fault = (
            f"holds in its column {name_in_first_rows(TIME, (), ())} what is no time with a zone; write timestamps in UTC, or "
            "text like 2026-03-01T23:30:00Z"
        )
        raise InitialRowsError(place=key, fault=fault) from error
