"""Which column of a report is told first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def relevance(column: Mapping[str, Any]) -> float:
    """What ranks columns of one severity: the effect beyond chance times the importance, 1 where that is not known."""
    beyond: float = column.get("effect", 0.0) - column.get("effect_without_drift", 0.0)
    return max(beyond, 0.0) * float(column.get("importance", 1.0))
