"""Records of an inference log for the model of `builders`, in each form that a log may have."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config

YAML = """
model: parcels
mode: watch
source: log
features:
  - {name: weight, kind: numeric}
  - {name: items, kind: numeric, dtype: int64}
  - {name: carrier, kind: categorical}
"""


def log_config(extra: str = "") -> ModelConfig:
    """The model of `builders`, served anywhere."""
    return parse_model_config(YAML + extra, source="parcels.yaml")


def log_record(name: str, time: datetime, /, **fields: Any) -> dict[str, Any]:
    """One record."""
    features = {"weight": 9.5, "items": 3, "carrier": "sea"}
    return {"v": 1, "id": name, "time": time.isoformat(), "features": features, "prediction": 0.25} | fields


def as_json_lines(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Records as JSON Lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def as_gzip(records: Sequence[Mapping[str, Any]]) -> bytes:
    """The same zipped, in two parts, as files that were put together are."""
    half = len(records) // 2
    return gzip.compress(as_json_lines(records[:half])) + gzip.compress(as_json_lines(records[half:]))


def as_parquet(records: Sequence[Mapping[str, Any]]) -> bytes:
    """The same as Parquet, the times as timestamps."""
    sink = io.BytesIO()
    rows = [{**record, "time": datetime.fromisoformat(record["time"])} for record in records]
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


FORMS = {"jsonl": as_json_lines, "jsonl.gz": as_gzip, "parquet": as_parquet}
