"""The alert about a judged window: whether quality suffers, what moved, what happens next, where to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from report.alert_words import Message, bullets, object_links, section

NEXT_ON_DRIFT = {
    "never": "Nothing by itself: this model is not retrained on drift.",
    "always": "Kedge decides now whether to retrain on this drift, and tells you.",
    "when_labels_lag": "Nothing by itself: drift alone is no loss. Kedge retrains when labels show a loss, or when "
    "they stay out for long.",
}


def window_message(_model: str, detail: Mapping[str, Any]) -> Message:
    """Write what a window's verdict means."""
    window, performance = detail["window"], detail.get("performance") or {}
    where = (
        f"Window {window['start'][:10]} to {window['end'][:10]}: {window['rows']:,} requests to package version "
        f"{detail['package_version']}."
    )
    return Message(
        headline(detail, performance),
        (
            where,
            section("DOES QUALITY SUFFER?", quality(performance)),
            section("WHAT MOVED", bullets(detail.get("reasons", []), rest="more in the report")),
            section("WHAT HAPPENS NEXT", what_next(detail, performance)),
            section("WHERE TO LOOK", object_links(detail["report"]) if "report" in detail else ""),
        ),
    )


def headline(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """The verdict in a line: the loss first, then the drift."""
    if detail["severity"] == "INSUFFICIENT_DATA":
        return "the monitor is blind: two windows in a row held nothing to judge"
    drifted = [column["name"] for column in detail.get("columns", []) if column["severity"] in ("WARNING", "CRITICAL")]
    moved = f"{drifted[0]} drifted" if len(drifted) == 1 else f"{len(drifted)} columns drifted"
    if not drifted:
        moved = "no column drifted" if performance.get("severity") == "CRITICAL" else "data quality is out of bounds"
    if performance.get("severity") == "CRITICAL":
        return f"quality is lost{judged_metric(performance)}; {moved}"
    if performance.get("severity") in ("OK", "WARNING"):
        return f"{moved}, {'quality holds' if performance['severity'] == 'OK' else 'quality may be lower'}"
    return f"{moved}, quality is not known yet"


def judged_metric(performance: Mapping[str, Any]) -> str:
    """The metric that has a limit, with both numbers; nothing where none was judged."""
    for metric in performance.get("metrics", []):
        if "limit" in metric:
            return f" ({metric['name']} {metric['value']:.2f}, limit {metric['limit']:.2f})"
    return ""


def quality(performance: Mapping[str, Any]) -> str:
    """What the labels say, in words."""
    if not performance:
        return "Not known: no labels have been joined to this window."
    reasons = "; ".join(performance["reasons"])
    if performance["severity"] == "INSUFFICIENT_DATA":
        return f"Not known yet: {reasons}."
    answer = {"CRITICAL": "Yes", "WARNING": "Perhaps", "OK": "No"}[performance["severity"]]
    return f"{answer}: {reasons} ({performance['ripe_rows']:,} rows whose labels are in)."


def what_next(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """What Kedge does now without being asked."""
    if detail["severity"] == "INSUFFICIENT_DATA":
        return (
            "Nothing can be judged until requests are captured again. Is the endpoint called, and is Data Capture on?"
        )
    if performance.get("severity") == "CRITICAL":
        return "Kedge decides now whether to retrain (cooldown, budget and new labels permitting), and tells you."
    return NEXT_ON_DRIFT[detail.get("on_drift", "when_labels_lag")]
