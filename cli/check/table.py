"""A report as a table in the terminal, with its worst slices and unequal groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from kedge.severity import Severity

if TYPE_CHECKING:
    from cli.check.judge import Checked
    from kedge.drift.column import ColumnReport
    from kedge.drift.report import DriftReport
    from kedge.quality.window import WindowQuality
SHOWN = 3
SEVERITY_STYLES: Mapping[str, dict[str, Any]] = {
    "OK": {"fg": "green"}, "WARNING": {"fg": "yellow"}, "CRITICAL": {"fg": "red", "bold": True}, "INSUFFICIENT_DATA": {"dim": True},
}  # fmt: skip
_HEADS = ("column", "severity", "effect", "by chance", "p", "PSI", "missing")
_LEFT = 2  # columns of text; the others are numbers
_NAME_WIDTH = 48


def quality_lines(quality: WindowQuality) -> Iterator[str]:
    """What is known of the answers: measured, estimated, what else a reader should know, and the groups."""
    if quality.measured is not None:
        yield f"quality: {_coloured(quality.measured.severity)} {'; '.join(quality.measured.reasons)}"
    estimate = quality.estimate
    if estimate is not None and estimate.reasons:
        judged = "" if estimate.severity is None else f"{_coloured(estimate.severity)} "
        yield f"estimate: {judged}{'; '.join(estimate.reasons)}"
    for note in quality.measured.notes if quality.measured else ():
        yield f"- {note}"
    for severity, said in group_lines(quality):
        yield f"{_coloured(severity)} {said}"


def group_lines(quality: WindowQuality) -> Iterator[tuple[Severity, str]]:
    """Severity and sentence of each finding on groups, the gravest of its kind first."""
    segments, concept = (quality.slices.segments, quality.slices.concept_drift) if quality.slices else ((), None)
    for segment in segments[:SHOWN]:
        yield segment.severity, f"segment: {segment.reason}"
    if concept is not None and (concept.shifts or concept.severity is Severity.INSUFFICIENT_DATA):
        more = f", and {len(concept.shifts) - 1} more groups" if len(concept.shifts) > 1 else ""
        yield concept.severity, f"concept drift: {concept.reason}{more}"
    for figure in quality.business:
        if figure.alert and figure.alert >= Severity.WARNING:
            yield figure.alert, f"business: {figure.reason}"
    for column in quality.fairness:
        yield column.severity, f"fairness: {column.reason}"


def told_aside(quality: WindowQuality | None, verdict: Severity) -> str:
    """That segments decide nothing, where they are told as worse than the verdict and the YAML does not let them alarm."""
    if quality is None or quality.slices is None or verdict is Severity.CRITICAL:
        return ""
    # Here, because files without labels have no quality.
    from kedge.quality.chosen import SEGMENTS

    if SEGMENTS in quality.chosen:
        return ""
    ill = quality.slices.severity is Severity.CRITICAL
    return "; segments are told, and decide nothing" if ill else ""


def print_verdict(checked: Checked) -> None:
    """Print every column, the worst last so that it stands above the prompt, then the reasons and the whole's verdict."""
    report = checked.report
    for line in _table(report):
        typer.echo(line)
    for note in checked.notes:
        typer.secho(note, dim=True)
    for reason in report.reasons:
        typer.echo(f"- {reason}")
    for line in quality_lines(checked.quality) if checked.quality else ():
        typer.echo(line)
    aside = told_aside(checked.quality, checked.verdict)
    judged = sum(column.severity is not Severity.INSUFFICIENT_DATA for column in report.columns)
    typer.echo(
        f"{_coloured(checked.verdict)} {report.rows:,} rows against {report.baseline}, {judged} of "
        f"{len(report.columns)} columns judged{aside}"
    )


def _table(report: DriftReport) -> list[str]:
    ordered = sorted(report.columns, key=lambda c: (c.severity.rank, c.relevance, c.effect or 0.0))
    rows = [_HEADS, *(_row(column) for column in ordered)]
    if any(column.importance is not None for column in ordered):
        weights = ["" if column.importance is None else f"{column.importance:.0%}" for column in ordered]
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


def _row(column: ColumnReport) -> tuple[str, ...]:
    facts = [_figure(column.effect, ".3f"), _figure(column.effect_without_drift, ".3f")]
    facts += [_figure(column.p_value_adjusted, ".2g"), _figure(column.statistics.get("psi"), ".3f")]
    name = column.column.name
    name = name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"
    name += " (prediction)" if column.column.role == "prediction" else ""
    return (name, column.severity.value, *facts, f"{column.missing_fraction:.1%}")


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _coloured(severity: str) -> str:
    return typer.style(severity, **SEVERITY_STYLES[severity])
