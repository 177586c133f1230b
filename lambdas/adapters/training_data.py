"""The files of one retraining in S3: what is learnt from, what is judged on, and the user's first rows."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kedge.errors import InitialRowsError, TrainingColumnMissingError
from kedge.model_config import ModelConfig
from kedge.training_rows import TIME, typed_rows
from lambdas.adapters import objects

# What users call the columns that Kedge has names for.
_OURS = {"id": "row_id", "timestamp": TIME}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}


def run_prefix(model: str, run: str) -> str:
    """Say where one retraining keeps its files."""
    return f"retraining/{model}/{run}"


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
    return pq.read_table(io.BytesIO(load_file(s3, bucket, key)))


def table_bytes(table: pa.Table) -> bytes:
    """Write a table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def initial_key(model: str) -> str:
    """Say where a user puts a model's first training rows."""
    return f"initial/{model}/training.parquet"


def load_initial_rows(s3: Any, bucket: str, config: ModelConfig) -> pa.Table | None:
    """Read the user's first rows: `row_id`, `time`, features, `label`, perhaps `label_time`; None without them.

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
        table = table.rename_columns([_OURS.get(name, name) for name in table.column_names])
        typed_rows(table, config)
    except TrainingColumnMissingError as error:
        absent = ", ".join(_THEIRS.get(name, name) for name in error.columns)
        raise InitialRowsError(place=key, fault=f"has no column {absent}") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InitialRowsError(place=key, fault=f"cannot be read: {_without_values(error)}") from error
    return table


def _without_values(error: Exception) -> str:
    """Arrow's sentence without what it quotes of the rows: it goes to the mail and to the timeline."""
    return re.sub(r"'[^']*'|\d{5,}", "...", str(error).partition("\n")[0].rstrip("."))[:200]
