"""The files of one retraining in S3: what is learnt from, what is judged on, and the user's first rows."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kedge.errors import InitialRowsError, TrainingColumnMissingError
from kedge.model_config import ModelConfig
from kedge.own_columns import as_named_now, first_rows_names, name_in_first_rows
from kedge.training_rows import typed_rows
from lambdas.adapters import objects


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
    return as_named_now(pq.read_table(io.BytesIO(load_file(s3, bucket, key))))


def table_bytes(table: pa.Table) -> bytes:
    """Write a table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def initial_key(model: str) -> str:
    """Say where a user puts a model's first training rows."""
    return f"initial/{model}/training.parquet"


def load_initial_rows(s3: Any, bucket: str, config: ModelConfig) -> pa.Table | None:
    """Read the user's first rows under our names, the label's time perhaps among them; None without them.

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
        typed_rows(table, config)
    except TrainingColumnMissingError as error:
        theirs = (name_in_first_rows(name, (), config.feature_names) for name in error.columns)
        absent = ", ".join(theirs)
        raise InitialRowsError(place=key, fault=f"has no column {absent}") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InitialRowsError(place=key, fault=f"cannot be read: {str(error).rstrip('.')}") from error
    return table
