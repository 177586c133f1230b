"""The gate's table of one retraining as a self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.comparisons import figures, in_words
from report.drift_page import environment

_ORDER = ("REFUSE", "WARN", "PASS")
_COLOUR = {"REFUSE": "CRITICAL", "WARN": "WARNING", "PASS": "OK"}


def render_gate_page(document: Mapping[str, Any]) -> str:
    """Render a gate's JSON, with its model and run: the verdict, then each row, what refuses first."""
    rows = sorted(document["rows"], key=lambda row: _ORDER.index(row["verdict"]))
    return environment().get_template("gate.html").render(document=document, rows=[_shown(row) for row in rows])


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    known = [name for name in ("value", "low", "high") if name in row]
    said = dict(zip(known, figures(*(float(row[name]) for name in known)), strict=True)) if known else {}
    return {
        "gate": row["gate"],
        "verdict": row["verdict"],
        "colour": _COLOUR[row["verdict"]],
        "limit": in_words(float(row["limit"])) if "limit" in row else "",
        "value": said.get("value", "not measured"),
        "interval": f"{said['low']} to {said['high']}" if {"low", "high"} <= said.keys() else "",
        "reason": row["reason"],
    }
