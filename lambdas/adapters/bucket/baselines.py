"""Baselines and reference metrics, kept per package version; a function keeps the last ones it read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from kedge.errors import BaselineAbsentError
from kedge.estimation.estimators import Estimator, decode_estimator
from kedge.outcomes.counts import OutcomeCounts, decode_counts
from kedge.performance.business import FigureSums, decode_figures
from kedge.profile.baseline import Baseline
from kedge.profile.encoding import decode_baseline
from kedge.slices.counts import SliceCounts
from kedge.slices.encoding import decode_slices
from kedge.stored import REFERENCE
from lambdas.adapters.bucket import layout, objects


def load_baseline(s3: Any, bucket: str, model: str, baseline: str, *, key: str | None = None) -> Baseline:
    """A frozen baseline; asked again, it is not decoded again unless it changed."""
    key = key or layout.baseline_key(model, baseline)
    found = objects.decoded(s3, bucket, key, _decoded)
    if found is None:
        raise BaselineAbsentError(model=model, key=key)
    return found[0]


@dataclass(frozen=True)
class Reference:
    """What the champion's holdout says: its outcomes, what they teach an estimator, and the business figures.

    Attributes
    ----------
    digest : str
        Of its content, which does not leave the bucket: the key for what messages must not name.
    """

    counts: OutcomeCounts
    estimator: Estimator | None
    figures: Mapping[str, FigureSums]
    digest: str = ""


def load_reference(s3: Any, bucket: str, model: str, baseline: str) -> Reference | None:
    """The champion's reference; None where its package has none."""
    found = objects.decoded(s3, bucket, layout.beside_baseline_key(model, baseline, layout.REFERENCE), decode_reference)
    return found[0] if found else None


def decode_reference(content: bytes) -> Reference:
    """Read a reference."""
    return replace(REFERENCE.read_json(content, _reference), digest=hashlib.sha256(content).hexdigest())


def _reference(document: Mapping[str, Any]) -> Reference:
    estimator = decode_estimator(document["estimator"]) if "estimator" in document else None
    return Reference(decode_counts(document["counts"]), estimator, decode_figures(document.get("business", {})))


def load_slices(s3: Any, bucket: str, model: str, baseline: str) -> SliceCounts | None:
    """The champion's holdout by slice; None where its package has none."""
    found = objects.decoded(s3, bucket, layout.beside_baseline_key(model, baseline, layout.SLICES), decode_slices)
    return found[0] if found else None


@lru_cache(maxsize=32)
def _decoded(content: bytes) -> Baseline:
    return decode_baseline(content)
