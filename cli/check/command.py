"""`kedge check`: judge a window file against a baseline file with the code that the Lambdas run."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.refusals import BAD_INPUT, in_a_sentence
from cli.written_files import write_all


class FailOn(StrEnum):
    """From which severity on the exit code is 1."""

    WARNING = "warning"
    CRITICAL = "critical"


class ProblemOption(StrEnum):
    """What the model predicts."""

    BINARY = "binary_classification"
    MULTICLASS = "multiclass_classification"
    REGRESSION = "regression"


_ROWS = "Parquet, CSV or JSON lines: a file, a folder, or s3://bucket/prefix;"


def check(  # noqa: PLR0913  # each is an option of the command line
    baseline: Annotated[str, typer.Option(help=f"{_ROWS} what the model was trained on.")],
    window: Annotated[str, typer.Option(help=f"{_ROWS} what is to be judged.")],
    config: Annotated[Path | None, typer.Option(help="The model's YAML; without it the columns are inferred.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report as a page.")] = None,
    prediction: Annotated[str | None, typer.Option(help="Column with the model's answers.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the truth; it is no feature.")] = None,
    problem: Annotated[
        ProblemOption | None, typer.Option(help="What the model predicts; else the YAML or the columns say it.")
    ] = None,
    importance: Annotated[
        Path | None, typer.Option(help="JSON object of numbers by column: the reasons lead with what matters.")
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The CSV files have no header line: columns are _c0, _c1, ...")
    ] = False,
    columns: Annotated[
        str | None, typer.Option(help="Names for the columns of CSV files without a header line: label,age,plan.")
    ] = None,
    fail_on: Annotated[FailOn, typer.Option(help="Severity from which on the exit code is 1.")] = FailOn.CRITICAL,
) -> None:
    """Judge a window of rows against its baseline. Exit code 0: below --fail-on; 1: at or above it; 2: bad input, or nothing was judged."""
    # Here, because the other commands need none of numpy, scipy and pyarrow.
    from cli.check.question import Asked
    from cli.check.table import print_verdict
    from cli.rows.sources import named_columns
    from kedge.severity import Severity
    from report.ranking import verdict_of

    asked = Asked(baseline, window, config, prediction, label, problem.value if problem else None, importance)
    asked = replace(asked, header=not (no_header or columns), names=named_columns(columns))
    with in_a_sentence("check"):
        report, notes = _judged(asked)
        told = {name: value for name, value in report.items() if name != "histograms"}
        write_all({json_file: json.dumps(told, indent=2, allow_nan=False) + "\n", html_file: _page(report, html_file)})
    verdict = verdict_of(report)
    print_verdict(report, notes, verdict)
    if verdict == "INSUFFICIENT_DATA":
        # Nothing was judged: whoever reads exit codes must not take it for an OK.
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(int(Severity(verdict) >= Severity(fail_on.value.upper())))


def _judged(asked: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    from cli.check.judge import judge
    from cli.check.question import ask, open_sides
    from cli.progress import Progress

    before, now = open_sides(asked)
    with closing(Progress()) as progress:
        return judge(ask(asked, replace(before, told=progress), replace(now, told=progress)))


def _page(report: dict[str, Any], wanted: Path | None) -> str:
    if wanted is None:
        return ""
    # Here, because a template engine takes longer to import than most files to judge.
    from report.drift_page import render_drift_page

    return render_drift_page(report)
