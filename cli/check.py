"""`kedge check`: judge a window file against a baseline file with the code that the Lambdas run."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.refusals import in_a_sentence
from cli.written_files import write_all
from kedge.severity import Severity


class FailOn(StrEnum):
    """From which severity on the exit code is 1."""

    WARNING = "warning"
    CRITICAL = "critical"


def check(
    baseline: Annotated[Path, typer.Option(help="Parquet or CSV file or folder: what the model was trained on.")],
    window: Annotated[Path, typer.Option(help="Parquet or CSV file or folder: what is to be judged.")],
    config: Annotated[Path | None, typer.Option(help="The model's YAML; without it the columns are inferred.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report as a page.")] = None,
    prediction: Annotated[str | None, typer.Option(help="Column with the model's answers.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the truth; it is no feature.")] = None,
    fail_on: Annotated[FailOn, typer.Option(help="Severity from which on the exit code is 1.")] = FailOn.CRITICAL,
) -> None:
    """Judge a window of rows against its baseline. Exit code 0: below --fail-on; 1: at or above it; 2: bad input."""
    # Here, because the other commands need none of numpy, scipy and pyarrow.
    from cli.two_files import ask, judge
    from cli.verdict_table import print_verdict
    from report.drift_page import render_drift_page

    with in_a_sentence("check"):
        question = ask(baseline, window, config, prediction, label)
        report, notes = judge(question)
        told = {name: value for name, value in report.items() if name != "histograms"}
        write_all({json_file: json.dumps(told, indent=2) + "\n", html_file: render_drift_page(report)})
    print_verdict(report, notes)
    severities = [report["severity"], report.get("performance", {}).get("severity", "OK")]
    raise typer.Exit(int(max(Severity(s) for s in severities) >= Severity(fail_on.value.upper())))
