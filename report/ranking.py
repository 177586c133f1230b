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
    """The worst verdict of a report: rows, measured and estimated quality, equal treatment, clear concept drift, what the YAML chose."""
    performance: Mapping[str, Any] = report.get("performance") or {}
    parts = (report, performance, performance.get("fairness", {}), performance.get("estimate", {}))
    parts = (*parts, *performance.get("variants", {}).values())
    severities: list[str] = [part["severity"] for part in parts if "severity" in part]
    severities += [*performance.get("chosen", {}).values(), *(["CRITICAL"] if moved_on(performance) else [])]
    return max(severities, key=_ASCENDING.index)


def moved_on(performance: Mapping[str, Any]) -> str:
    """Where P(y given x) has clearly moved the most: "all rows", or a group of them; empty where it has not."""
    found: Mapping[str, Any] = performance.get("concept_drift") or {}
    if found.get("severity") != "CRITICAL":
        return ""
    return str(next((shift["group"] for shift in found["shifts"] if shift["severity"] == "CRITICAL"), "some rows"))


def alarming_segments(performance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The segments that alarm because the YAML says so, the gravest first."""
    return [segment for segment in performance.get("segments", []) if "alert" in segment]


def alarming_figures(performance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The business figures beyond a limit that alarm because the YAML says so."""
    return [figure for figure in performance.get("business", []) if "alert" in figure]


def chosen_reasons(performance: Mapping[str, Any]) -> list[str]:
    """Why the parts alarm that the YAML chose, a sentence each."""
    return [str(found["reason"]) for found in (*alarming_segments(performance), *alarming_figures(performance))]


def lost_metrics(performance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The measured metrics that are worse than their reference, the largest loss first."""
    found = [metric for metric in performance.get("metrics", []) if "loss" in metric]
    return sorted(found, key=lambda metric: -float(metric["loss"].get("fraction", "inf")))
