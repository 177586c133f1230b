"""Rows of the history from what Kedge keeps anyway: a window's report, and an entry of the timeline.

The functions that judge and the one that mends both read the kept document. So a history that was built again is the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kedge.alerts.routing import severity_of
from kedge.history.tables import COLUMNS, DECISIONS, DELIVERIES, METRICS, WINDOWS
from kedge.instants import from_text
from kedge.severity import Severity, worst

Row = dict[str, Any]
# A long reason is whole in the report; a row is for lists and charts.
_REASONS_SHOWN = 3


def window_rows(report: Mapping[str, Any], report_key: str) -> dict[str, list[Row]]:
    """Rows of a judged window, by the name of their table.

    Parameters
    ----------
    report : mapping
        The window's report: `drift-r<revision>.json`.
    """
    window, quality = report["window"], report.get("performance", {})
    shared: Row = {
        "model": report["model"],
        "package": report["baseline"],
        "window_start": from_text(window["start"]),
        "window_end": from_text(window["end"]),
    }
    found = [Severity(column["severity"]) for column in report["columns"]]
    checks = [Severity(check["severity"]) for check in report["quality"]]
    row = shared | {
        "revision": report["revision"],
        "rows": window["rows"],
        "severity": report["severity"],
        "drift": worst(found).value,
        "performance": quality.get("severity"),
        "estimate": quality.get("estimate", {}).get("severity"),
        "fairness": quality.get("fairness", {}).get("severity"),
        "confidence": report.get("confidence", {}).get("severity"),
        "columns_drifted": sum(severity >= Severity.WARNING for severity in found),
        "checks_failed": sum(severity >= Severity.WARNING for severity in checks),
        "coverage_fraction": quality.get("coverage_fraction"),
        "ripe_rows": quality.get("ripe_rows"),
        "sampled_fraction": window.get("sampled_fraction", 1.0),
        "reason": next(iter(report["reasons"]), None),
        "report_key": report_key,
    }
    # The window comes last: where it is written, so are the others.
    return {
        METRICS.name: [shared | metric for metric in _metrics(quality)],
        COLUMNS.name: [shared | _column(column) for column in report["columns"]],
        WINDOWS.name: [row],
    }


def decision_row(entry: Mapping[str, Any], name: str) -> dict[str, list[Row]]:
    """The row of an entry of the timeline, by the name of its table.

    Parameters
    ----------
    name : str
        The entry's object below `audit/<model>/`.
    """
    detail = entry["detail"]
    arn = str(detail.get("package_arn") or "").rpartition("/")[2]
    reasons = detail.get("reasons") or [detail[name] for name in ("reason", "subject", "cause") if detail.get(name)]
    return {
        DECISIONS.name: [
            {
                "model": entry["model"],
                "entry": name,
                "time": from_text(entry["time"]),
                "kind": entry["kind"],
                "severity": severity_of(entry["kind"], detail).value,
                "package": str(detail.get("package_version") or arn) or None,
                "run": detail.get("run"),
                "reason": "; ".join(map(str, reasons[:_REASONS_SHOWN])) or None,
                "detail": json.dumps(detail, sort_keys=True, default=str),
            }
        ]
    }


def delivery_row(event: Mapping[str, Any], delivery: str, attempt: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The row of a message to a channel, by the name of its table: of its newest attempt, and nothing of what it said.

    Parameters
    ----------
    event : mapping
        The message as the topic *Events* has it.
    delivery : str
        The name of the message and its channel.
    attempt : mapping
        `channel`, `status`, `answer`, `attempts` and `answer_seconds`.
    """
    facts = {name: event.get(name) for name in ("model", "kind", "severity", "team", "episode", "resolved")}
    return {DELIVERIES.name: [{**facts, **attempt, "delivery": delivery, "time": from_text(event["time"])}]}


def month_of(time: datetime) -> str:
    """The partition that a row belongs to.

    >>> month_of(from_text("2016-01-04T02:00:00Z"))
    '2016-01'
    """
    return f"{time:%Y-%m}"


def window_identity(package: str, end: datetime) -> str:
    """What names a window's objects in the history, beside the model.

    >>> window_identity("3", from_text("2016-01-04T02:00:00Z"))
    '3.2016-01-04T0200'
    """
    return f"{package}.{end:%Y-%m-%dT%H%M}"


def _metrics(quality: Mapping[str, Any]) -> Iterator[Row]:
    reference = {name: one.get("value") for name, one in quality.get("reference", {}).items()}
    for kind, found in (
        ("measured", quality.get("metrics", ())),
        ("estimated", quality.get("estimate", {}).get("metrics", ())),
    ):
        for metric in found:
            yield _metric(kind, metric, reference.get(metric["name"]))
    for figure in quality.get("business", ()):
        beside = {name: figure.get(name) for name in ("unit", "total", "rows")}
        yield _metric("business", figure, figure.get("reference")) | beside
    for column in quality.get("fairness", {}).get("columns", ()):
        for disparity in column["metrics"]:
            yield _metric("fairness", disparity, subject=column["column"])
    for segment in quality.get("segments", ()):
        yield _metric("segment", segment | {"name": segment["metric"]}, segment.get("reference"), segment["group"]) | {
            "rows": segment["rows"]
        }


def _metric(kind: str, metric: Mapping[str, Any], reference: float | None = None, subject: str = "") -> Row:
    facts = {name: metric.get(name) for name in ("value", "low", "high", "limit", "severity")}
    return {"kind": kind, "metric": metric["name"], "subject": subject, "reference": reference} | facts


def _column(column: Mapping[str, Any]) -> Row:
    names = (
        *("name", "role", "severity", "effect", "effect_without_drift", "missing_fraction", "unseen_fraction"),
        *("out_of_range_fraction", "unparsable_fraction", "importance", "rows"),
    )
    return {name: column.get(name) for name in names} | {
        "counted_as": column["kind"],
        "p_value": column.get("p_value_adjusted"),
        "psi": column["statistics"].get("psi"),
    }
