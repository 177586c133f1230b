"""What a window's performance.json says of its answers, for the functions that read it."""

from __future__ import annotations

from typing import Any

from kedge.quality.kept import KeptQuality
from lambdas.adapters.bucket import objects


def load(s3: Any, bucket: str, key: str) -> KeptQuality | None:
    """Read it; None where nothing was measured."""
    found = objects.decoded(s3, bucket, key, KeptQuality.decode)
    return found[0] if found else None
