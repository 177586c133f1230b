"""What the terminal shows of slices: the worst segments, what moved, and unequal groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SHOWN = 3


def slice_lines(performance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Severity and sentence of each finding, the gravest of its kind first."""
    for segment in performance.get("segments", [])[:SHOWN]:
        yield segment["severity"], f"segment: {segment['reason']}"
    concept = performance.get("concept_drift", {})
    shifts = concept.get("shifts", [])
    if shifts or concept.get("severity") == "INSUFFICIENT_DATA":
        more = f", and {len(shifts) - 1} more groups" if len(shifts) > 1 else ""
        yield concept["severity"], f"concept drift: {concept['reason']}{more}"
    for column in performance.get("fairness", {}).get("columns", []):
        yield column["severity"], f"fairness: {column['reason']}"


def told_aside(performance: Mapping[str, Any], verdict: str) -> str:
    """That segments and concept drift decide nothing, where they are told as worse than the verdict."""
    found = [*performance.get("segments", []), performance.get("concept_drift", {})]
    ill = verdict != "CRITICAL" and any(one.get("severity") == "CRITICAL" for one in found)
    return "segments and concept drift are told, and decide nothing" if ill else ""
