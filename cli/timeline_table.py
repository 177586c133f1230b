"""A model's timeline in the terminal: a line an entry, with what a person asks of its kind first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from report.alert_words import what_broke

_COLOURS = {
    "canary_promoted": "green", "gate_passed": "green", "alert_sent": "yellow", "retraining_held": "yellow", "gate_failed": "yellow",
    "rejected": "yellow", "decision_overtaken": "yellow", "release_superseded": "yellow", "endpoint_changed": "red",
    "capacity_awaited": "yellow", "capture_astray": "red", "rows_uncounted": "red",
    "data_rejected": "red", "failed": "red", "canary_rolled_back": "red", "release_unproven": "red",
}  # fmt: skip
# In this order; what an entry lacks is left out.
_TOLD = ("severity", "performance_severity", "subject", "verdict", "hold", "package_version", "traffic", "run", "by")


def print_timeline(entries: Iterable[dict[str, Any]]) -> None:
    """Print time, kind and the detail in words."""
    table = Table(box=None, header_style="dim")
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("", overflow="fold")
    for entry in entries:
        kind = str(entry["kind"])
        time = str(entry["time"]).replace("T", " ").removesuffix("Z")
        table.add_row(time, f"[{_COLOURS.get(kind, 'default')}]{escape(kind)}[/]", escape(in_words(entry["detail"])))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160  # a log has no width of its own
    console.print(table)


def in_words(detail: dict[str, Any]) -> str:
    """A detail's short facts, then its first reasons."""
    facts = [
        f"version {detail[name]}" if name == "package_version" else str(detail[name])
        for name in _TOLD
        if detail.get(name)
    ]
    reasons = detail.get("reasons") or ([detail["reason"]] if detail.get("reason") else [])
    if "cause" in detail:
        reasons = [
            f"at {detail.get('state', 'a step')}: {what_broke(str(detail.get('error', '')), str(detail['cause']))}"
        ]
    return "; ".join([*facts, *map(str, reasons[:2])])
