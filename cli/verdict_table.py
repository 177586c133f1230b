"""A report as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLOURS = {"OK": "green", "WARNING": "yellow", "CRITICAL": "bold red", "INSUFFICIENT_DATA": "dim"}
PIPED_WIDTH = 120  # a log has no width of its own
_ORDER = ("CRITICAL", "WARNING", "OK", "INSUFFICIENT_DATA")


def print_verdict(report: dict[str, Any], notes: Iterable[str]) -> None:
    """Print every column, the worst last so that it stands above the prompt, then the reasons and the verdict."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    console.print(_columns(report))
    for note in notes:
        console.print(f"[dim]{escape(note)}[/dim]")
    for reason in report["reasons"]:
        console.print(f"- {escape(reason)}", soft_wrap=True)
    performance = report.get("performance")
    if performance:
        console.print(
            f"quality: {_coloured(performance['severity'])} {escape('; '.join(performance['reasons']))}", soft_wrap=True
        )
    console.print(
        f"{_coloured(report['severity'])} {report['window']['rows']} rows against {escape(report['baseline'])}"
    )


def _columns(report: dict[str, Any]) -> Table:
    table = Table(box=None, header_style="dim")
    table.add_column("column", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    for title in ("effect", "by chance", "p", "PSI", "missing"):
        table.add_column(title, justify="right", no_wrap=True)
    ordered = sorted(report["columns"], key=lambda c: (-_ORDER.index(c["severity"]), c.get("effect", 0.0)))
    for column in ordered:
        effects = ("effect", "effect_without_drift")
        facts = [f"{column[name]:.3f}" if name in column else "" for name in effects]
        p_value, psi = column.get("p_value_adjusted"), column["statistics"].get("psi")
        facts += ["" if p_value is None else f"{p_value:.2g}", "" if psi is None else f"{psi:.3f}"]
        name = escape(column["name"]) + (" [dim](prediction)[/dim]" if column["role"] == "prediction" else "")
        table.add_row(name, _coloured(column["severity"]), *facts, f"{column['missing_fraction']:.1%}")
    return table


def _coloured(severity: str) -> str:
    return f"[{_COLOURS[severity]}]{severity}[/]"
