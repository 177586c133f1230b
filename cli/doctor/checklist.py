"""The findings for a person: one line for each check that is well, cause and remedy for each fault."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import typer

from cli.doctor.findings import Finding, Verdict

COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red", Verdict.UNKNOWN: "magenta"}
INDENT = " " * 9
WIDTH_MAX = 120
# These checks name each good finding instead of a count: it shows when something last happened.
TOLD_EACH = ("models",)


def print_checklist(findings: Sequence[Finding]) -> None:
    """Print each check in its order, then how many findings there are of each verdict."""
    width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
    for check, of_check in groupby(findings, key=lambda finding: finding.check):
        several = list(of_check)
        well = [finding for finding in several if finding.verdict is Verdict.OK]
        if check in TOLD_EACH:
            for finding in well:
                _print_well(f"{check}: {finding.subject}: {finding.reason}", width)
        elif well:
            _print_well(f"{check}: {_well(well)}", width)
        for finding in several:
            if finding.verdict is not Verdict.OK:
                _print_fault(finding, width)
    counts = Counter(finding.verdict for finding in findings)
    typer.echo(", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict))


def _well(findings: Sequence[Finding]) -> str:
    return f"{len(findings)} looked at" if len(findings) > 1 else findings[0].reason


def _print_well(text: str, width: int) -> None:
    wrapped = textwrap.wrap(text, width - len(INDENT), break_long_words=False, break_on_hyphens=False)
    typer.echo(f"{_label(Verdict.OK)} {wrapped[0]}")
    for line in wrapped[1:]:
        typer.echo(f"{INDENT}{line}")


def _print_fault(finding: Finding, width: int) -> None:
    typer.echo(f"{_label(finding.verdict)} {finding.check}: {finding.subject}")
    wrapped = textwrap.wrap(finding.reason, width - len(INDENT), break_long_words=False, break_on_hyphens=False)
    typer.echo(textwrap.indent("\n".join(wrapped), INDENT))
    # Not wrapped: it is there to be copied.
    typer.echo(f"{INDENT}do: {finding.remedy}")


def _label(verdict: Verdict) -> str:
    return typer.style(f"{verdict:<8}", fg=COLOURS[verdict], bold=verdict is not Verdict.OK)
