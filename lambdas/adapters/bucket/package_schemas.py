"""The schema that each package was released with, kept beside its baseline; a retraining keeps its own beside its rows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kedge.config.model import ModelConfig
from kedge.package_schema import decode_schema, released_with
from lambdas.adapters.bucket import layout, objects


def load(s3: Any, bucket: str, current: ModelConfig, package_version: str) -> ModelConfig:
    """How a package is read and judged: by its own schema, and today's policies as far as they fit it."""
    return load_from(s3, bucket, current, layout.beside_baseline_key(current.model, package_version, layout.SCHEMA))


def load_from(s3: Any, bucket: str, current: ModelConfig, key: str) -> ModelConfig:
    """The same of the schema at a key; where there is none, as of earlier versions, the YAML is the schema."""
    found = objects.decoded(s3, bucket, key, _decoded)
    return released_with(current, found[0]) if found else current


@lru_cache(maxsize=32)
def _decoded(content: bytes) -> ModelConfig:
    return decode_schema(content)
