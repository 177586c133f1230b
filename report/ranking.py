"""Which column of a report is told first, and how bad the whole is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ASCENDING = ("INSUFFICIENT_DATA", "OK", "WARNING", "CRITICAL")


def relevance(column: Mapping[str, Any]) -> float:
    """What ranks columns of one severity: the effect beyond chance times the importance, 1 where that is not known."""
    beyond: float = column.get("effect", 0.0) - column.get("effect_without_drift", 0.0)
    return max(beyond, 0.0) * float(column.get("importance", 1.0))


def verdict_of(report: Mapping[str, Any]) -> str:
    """The worst of what a report judges: its rows, measured quality, what stands in for it, and equal treatment."""
    performance: Mapping[str, Any] = report.get("performance") or {}
    parts = (report, performance, performance.get("fairness", {}), performance.get("estimate", {}))
    severities: list[str] = [part["severity"] for part in parts if "severity" in part]
    return max(severities, key=_ASCENDING.index)
