"""The order of a report's columns, and the verdict of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ASCENDING = ("INSUFFICIENT_DATA", "OK", "WARNING", "CRITICAL")


def relevance(column: Mapping[str, Any]) -> float:
    """The rank of columns of one severity: the effect beyond chance times the importance (1 if unknown)."""
    beyond: float = column.get("effect", 0.0) - column.get("effect_without_drift", 0.0)
    return max(beyond, 0.0) * float(column.get("importance", 1.0))


def verdict_of(report: Mapping[str, Any]) -> str:
    """The worst verdict of a report: its rows, measured quality, estimated quality, and equal treatment."""
    performance: Mapping[str, Any] = report.get("performance") or {}
    parts = (report, performance, performance.get("fairness", {}), performance.get("estimate", {}))
    severities: list[str] = [part["severity"] for part in parts if "severity" in part]
    return max(severities, key=_ASCENDING.index)
