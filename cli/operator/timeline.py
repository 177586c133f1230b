"""A model's timeline in the terminal: one line per entry, the most important facts first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kedge.config.capture_place import package_words
from report.alert_words import alarm_words, deciding_reasons
from report.failures import plain_failure

_COLOURS = {
    "adopted": "green",
    "canary_promoted": "green", "gate_passed": "green", "alert_sent": "yellow", "retraining_held": "yellow", "gate_failed": "yellow",
    "rejected": "yellow", "approval_waits": "yellow", "approval_expired": "yellow", "labels_silent": "yellow", "baseline_stale": "yellow",
    "retrainings_failing": "red", "second_approval_awaited": "yellow", "approval_taken_back": "yellow", "approved_absent": "yellow",
    "release_withheld": "yellow", "paused": "yellow", "muted": "yellow", "labels_lost": "yellow", "capacity_awaited": "yellow",
    "decision_overtaken": "yellow", "release_superseded": "yellow", "package_found": "yellow", "endpoint_changed": "red",
    "release_refused": "red", "capture_astray": "red", "rows_uncounted": "red",
    "experiment_proved": "green", "experiment_withdrawn": "yellow", "mlflow_failed": "yellow",
    "data_rejected": "red", "failed": "red", "canary_rolled_back": "red", "release_unproven": "red",
}  # fmt: skip
# Facts before and after the reasons, in this order; missing ones are left out.
_FIRST = ("severity", "job", "counted", "subject", "hold", "package_version", "traffic")
_LAST = ("until", "by", "run", "report_key")
REASONS_SHOWN = 2

# What reads a pipe has no width: a line is never folded there.
PIPED_WIDTH = 10_000


def print_timeline(entries: Iterable[dict[str, Any]]) -> None:
    """Print time, kind and the detail in words."""
    table = Table(box=None, header_style="dim")
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("", overflow="fold")
    for entry in entries:
        kind = str(entry["kind"])
        time = str(entry["time"]).replace("T", " ").removesuffix("Z")
        table.add_row(time, f"[{_COLOURS.get(kind, 'default')}]{escape(kind)}[/]", escape(in_words(entry)))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    console.print(table)


def in_words(entry: dict[str, Any]) -> str:
    """An entry's short facts and what decided it first, then who and which run."""
    detail = entry["detail"]
    if entry["kind"] == "baseline_switched":
        return "; ".join([f"version {detail.get('package_version', '')} serves", *_facts(detail, ("run",))])
    if entry["kind"] == "alarm":
        return alarm_words(detail)
    if entry["kind"] == "package_registered":
        # The line above, from the gate, says why it passed.
        (package,) = _facts(detail, ("package_version",)) or ("the package",)
        return "; ".join([f"{package} waits for a person's decision", *_facts(detail, ("run",))])
    reasons = deciding_reasons(detail) or ([str(detail["reason"])] if detail.get("reason") else [])
    if "cause" in detail:
        why = plain_failure(str(detail.get("error", "")), str(detail["cause"]))
        reasons = [f"at {detail['state']}: {why}" if "state" in detail else why]
    return "; ".join(
        [
            *_facts(detail, _FIRST),
            *reasons[: 1 if entry["kind"] == "gate_passed" else REASONS_SHOWN],
            *_facts(detail, _LAST),
        ]
    )


def _facts(detail: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    words = {"by": "by {}", "until": "until {}", "report_key": "report {}"}
    version = str(detail.get("package_version") or str(detail.get("package_arn", "")).rpartition("/")[2])
    detail = {**detail, "package_version": version and package_words(version).removeprefix("package ")}
    return [words.get(name, "{}").format(detail[name]) for name in names if detail.get(name)]
