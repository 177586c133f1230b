"""A backtest as tables in the terminal: what the policy would have done, window by window, and beside other settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.check.table import SEVERITY_STYLES

_LOSS: dict[bool | None, tuple[str, dict[str, Any]]] = {
    True: ("lost", SEVERITY_STYLES["CRITICAL"]), False: ("holds", {}), None: ("not measured", SEVERITY_STYLES["INSUFFICIENT_DATA"]),
}  # fmt: skip
_ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "START": ("retrain", {"bold": True}),
    "HOLD": ("held", {}),
    "NONE": ("", {}),
}
_WINDOW_HEADS = tuple(
    (head, {"dim": True}) for head in ("from", "to", "rows", "drift", "quality", "alert", "action", "why")
)
_ROWS_PLACE, _GAP = 2, "  "
WORDS_MAX = 70
PIPED_WIDTH = 10_000  # what reads a pipe has no width


def print_backtest(document: dict[str, Any]) -> None:
    """Print the windows, the settings side by side, the proposal, the notes, and the totals last."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    for line in _window_lines(document, console.width):
        typer.echo(line)
    typer.echo()
    console.print(_comparison(document))
    for sentence in proposal_sentences(document["proposal"]):
        console.print(f"- {escape(sentence)}", soft_wrap=True)
    for note in document["notes"]:
        console.print(f"[dim]{escape(note)}[/dim]", soft_wrap=True)
    console.print(escape(totals_sentence(document)), soft_wrap=True)


def proposal_sentences(proposal: dict[str, Any]) -> list[str]:
    """The proposal, in words."""
    wished = f"for {proposal['alerts_per_year']:g} a year of messages about drift where quality holds"
    return [
        f"{wished}, {proposal['alerts_allowed']} in this history: {found['field']}: {found['threshold']:g} under "
        f"drift.rule: {found['rule']} gives {_counted(found['messages'], 'message')} about drift without a known loss; it "
        f"alerts in {_counted(found['drift_alerts'], 'window')}, "
        f"{found['drift_false_alerts']} of them known to have lost nothing, and misses "
        f"{_counted(found['drift_missed_losses'], 'lost window')}"
        for found in proposal["thresholds"]
    ]


def totals_sentence(document: dict[str, Any]) -> str:
    """The main setting's totals, in words."""
    totals = document["totals"]
    told = (
        f"{document['settings']['name']}: {_counted(totals['windows'], 'window')}, {_counted(totals['alerts'], 'alert')} "
        f"in {_counted(totals['alert_episodes'], 'episode')} ({_counted(totals['messages'], 'message')}), "
        f"{_counted(totals['retrainings'], 'retraining')} for "
        f"{totals['cost_usd']:.2f} USD"
    )
    if "losses" not in totals:
        return told
    lost, false = _counted(totals["losses"], "window"), _counted(totals["false_alerts"], "alert")
    return f"{told}, {lost} lost, {false} without a loss"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _window_lines(document: dict[str, Any], width: int) -> Iterator[str]:
    """The windows as lines: of a long history there are two thousand, and a table of rich's takes a millisecond for each cell."""
    shown = 10 if all(w["start"].endswith("T00:00:00Z") for w in document["windows"]) else 16
    rows = [_WINDOW_HEADS, *(_window_cells(window, shown) for window in document["windows"])]
    widths = [max(len(text) for text, _ in column) for column in zip(*rows, strict=True)]
    # The last one, words, takes what room is left.
    taken = sum(widths[:-1]) + len(_GAP) * len(widths)
    widths[-1] = max(min(widths[-1], WORDS_MAX, width - taken), len(_WINDOW_HEADS[-1][0]))
    for row in rows:
        fitted = [
            _fitted(text, width, right=place == _ROWS_PLACE)
            for place, ((text, _), width) in enumerate(zip(row, widths, strict=True))
        ]
        styled = (typer.style(text, **style) if style else text for text, (_, style) in zip(fitted, row, strict=True))
        yield f" {_GAP.join(styled)}".rstrip()


def _window_cells(window: dict[str, Any], shown: int) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The text and the style of each cell."""
    return (
        (window["start"][:shown], {}),
        (window["end"][:shown], {}),
        (str(window["rows"]), {}),
        (window["drift"], SEVERITY_STYLES[window["drift"]]),
        _quality(window),
        (_alert(window), {}),
        _ACTIONS[window["action"]],
        (window["reasons"][0] if window["reasons"] else "", {}),
    )


def _fitted(text: str, width: int, *, right: bool) -> str:
    short = text if len(text) <= width else text[: width - 1] + "…"
    return short.rjust(width) if right else short.ljust(width)


def _alert(window: dict[str, Any]) -> str:
    """Whether it alarms, and the message that people would have got."""
    told = window.get("told", "")
    return f"alert, {told}" if window["alert"] and told else "alert" if window["alert"] else told


def _quality(window: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The measured verdict, else the estimated one."""
    estimated = window.get("performance", {}).get("estimate", {}).get("severity")
    if window["loss"] is None and estimated in ("OK", "WARNING", "CRITICAL"):
        return f"estimated {estimated}", SEVERITY_STYLES[estimated]
    return _LOSS[window["loss"]]


def _comparison(document: dict[str, Any]) -> Table:
    table = Table(box=None, header_style="dim")
    table.add_column("setting", no_wrap=True)
    labelled = "losses" in document["totals"]
    fields = {
        "alerts": "alerts",
        "alert_episodes": "episodes",
        "messages": "messages",
        "retrainings": "retrainings",
        "cost_usd": "USD",
    }
    if labelled:
        fields |= {
            "losses": "lost",
            "missed_losses": "missed",
            "false_alerts": "false alerts",
            "drift_missed_losses": "missed by drift",
            "drift_false_alerts": "drift without loss",
        }
    for title in fields.values():
        table.add_column(title, justify="right", no_wrap=True)
    for compared in document["comparison"]:
        totals = compared["totals"]
        cells = [f"{totals[name]:.2f}" if name == "cost_usd" else str(totals[name]) for name in fields]
        table.add_row(escape(compared["name"]), *cells)
    return table
