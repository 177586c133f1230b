"""A report as a table in the terminal, with its worst slices and unequal groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import typer

from report.ranking import relevance

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


_COLOURS: Mapping[str, dict[str, Any]] = {
    "OK": {"fg": "green"}, "WARNING": {"fg": "yellow"}, "CRITICAL": {"fg": "red", "bold": True}, "INSUFFICIENT_DATA": {"dim": True},
}  # fmt: skip
_ORDER = ("INSUFFICIENT_DATA", "OK", "WARNING", "CRITICAL")
_HEADS = ("column", "severity", "effect", "by chance", "p", "PSI", "missing")
_LEFT = 2  # columns of text; the others are numbers
_NAME_WIDTH = 48


def print_verdict(report: Mapping[str, Any], notes: Iterable[str], verdict: str) -> None:
    """Print every column, the worst last so that it stands above the prompt, then the reasons and the whole's verdict."""
    for line in _table(report):
        typer.echo(line)
    for note in notes:
        typer.secho(note, dim=True)
    for reason in report["reasons"]:
        typer.echo(f"- {reason}")
    performance = report.get("performance")
    if performance:
        typer.echo(f"quality: {_coloured(performance['severity'])} {'; '.join(performance['reasons'])}")
        estimate = performance.get("estimate", {})
        if estimate.get("reasons"):
            judged = f"{_coloured(estimate['severity'])} " if "severity" in estimate else ""
            typer.echo(f"estimate: {judged}{'; '.join(estimate['reasons'])}")
        for note in performance.get("notes", ()):
            typer.echo(f"- {note}")
        for severity, said in slice_lines(performance):
            typer.echo(f"{_coloured(severity)} {said}")
    aside = f"; {decides_nothing}" if (decides_nothing := told_aside(performance or {}, verdict)) else ""
    judged = sum(column["severity"] != "INSUFFICIENT_DATA" for column in report["columns"])
    typer.echo(
        f"{_coloured(verdict)} {report['window']['rows']:,} rows against {report['baseline']}, {judged} of "
        f"{len(report['columns'])} columns judged{aside}"
    )


def _table(report: Mapping[str, Any]) -> list[str]:
    ordered = sorted(report["columns"], key=lambda c: (_ORDER.index(c["severity"]), relevance(c), c.get("effect", 0.0)))
    rows = [_HEADS, *(_row(column) for column in ordered)]
    if any("importance" in column for column in ordered):
        weights = [f"{column['importance']:.0%}" if "importance" in column else "" for column in ordered]
        rows = [
            (*row[:_LEFT], weight, *row[_LEFT:]) for row, weight in zip(rows, ["importance", *weights], strict=True)
        ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        padded = [c.ljust(w) if i < _LEFT else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        padded[1] = padded[1].replace(row[1], _coloured(row[1])) if number else padded[1]
        lines.append("  ".join(padded).rstrip() if number else typer.style("  ".join(padded).rstrip(), dim=True))
    return lines


def _row(column: Mapping[str, Any]) -> tuple[str, ...]:
    facts = [f"{column[name]:.3f}" if name in column else "" for name in ("effect", "effect_without_drift")]
    p_value, psi = column.get("p_value_adjusted"), column["statistics"].get("psi")
    facts += ["" if p_value is None else f"{p_value:.2g}", "" if psi is None else f"{psi:.3f}"]
    name = column["name"] if len(column["name"]) <= _NAME_WIDTH else column["name"][: _NAME_WIDTH - 1] + "…"
    name += " (prediction)" if column["role"] == "prediction" else ""
    return (name, column["severity"], *facts, f"{column['missing_fraction']:.1%}")


def _coloured(severity: str) -> str:
    return typer.style(severity, **_COLOURS[severity])
