"""What a window's performance.json says of its answers, for the functions that read it."""

from __future__ import annotations

from typing import Any

from kedge.quality.kept import KeptQuality
from lambdas.adapters.bucket import reports


def load(s3: Any, bucket: str, key: str) -> KeptQuality | None:
    """Read it; None where nothing was measured."""
    document = reports.load_json(s3, bucket, key)
    return KeptQuality.from_json(document) if document is not None else None
