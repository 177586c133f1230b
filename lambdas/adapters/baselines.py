"""Baselines and reference metrics, kept per package version; a function keeps the last ones it read."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from kedge.errors import BaselineAbsentError
from kedge.performance import ScoreCounts
from kedge.profile import Baseline
from kedge.profile_encoding import decode_baseline
from lambdas.adapters import objects


def load_baseline(s3: Any, bucket: str, model: str, baseline: str, *, key: str | None = None) -> Baseline:
    """A frozen baseline; asked again, it is not decoded again unless it changed."""
    key = key or f"baselines/{model}/{baseline}.npz"
    found = objects.read(s3, bucket, key)
    if found is None:
        raise BaselineAbsentError(model=model, key=key)
    return _decoded(found[0])


def load_reference(s3: Any, bucket: str, model: str, baseline: str) -> ScoreCounts | None:
    """The champion's holdout counts; None where its package has none."""
    found = objects.read(s3, bucket, f"baselines/{model}/{baseline}/reference.json")
    return ScoreCounts.from_json(json.loads(found[0])["counts"]) if found else None


@lru_cache(maxsize=32)
def _decoded(content: bytes) -> Baseline:
    return decode_baseline(content)
