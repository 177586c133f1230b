"""`kedge check`: judge a window file against a baseline file with the code that the Lambdas run."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.refusals import BAD_INPUT, in_a_sentence
from cli.written_files import write_all

if TYPE_CHECKING:
    from cli.check.judge import Checked
    from cli.check.question import CheckOptions


class CheckFailsOn(StrEnum):
    """The severity from which the exit code is 1."""

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
    label: Annotated[str | None, typer.Option(help="Column with the truth; it is not a feature.")] = None,
    problem: Annotated[
        ProblemOption | None,
        typer.Option(help="What the model predicts; by default as in the YAML or from the columns."),
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
    fail_on: Annotated[
        CheckFailsOn, typer.Option(help="Severity from which the exit code is 1.")
    ] = CheckFailsOn.CRITICAL,
) -> None:
    """Judge a window of rows against its baseline. Exit code 0: below --fail-on; 1: at or above it; 2: bad input, or nothing was judged."""
    # Here, because the other commands need none of numpy, scipy and pyarrow.
    from cli.check.question import CheckOptions
    from cli.check.table import print_verdict
    from cli.rows.sources import named_columns
    from kedge.severity import Severity

    options = CheckOptions(baseline, window, config, prediction, label, problem.value if problem else None, importance)
    options = replace(options, header=not (no_header or columns), names=named_columns(columns))
    with in_a_sentence("check"):
        checked = _judged(options)
        told = json.dumps(checked.to_json(), indent=2, allow_nan=False) + "\n" if json_file else ""
        write_all({json_file: told, html_file: _page(checked, html_file)})
    print_verdict(checked)
    if checked.verdict is Severity.INSUFFICIENT_DATA:
        # Nothing was judged: whoever reads exit codes must not take it for an OK.
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(int(checked.verdict >= Severity(fail_on.value.upper())))


def _judged(options: CheckOptions) -> Checked:
    from cli.check.judge import judge
    from cli.check.question import ask, open_sides
    from cli.progress import Progress

    before, now = open_sides(options)
    with closing(Progress()) as progress:
        return judge(ask(options, replace(before, told=progress), replace(now, told=progress)))


def _page(checked: Checked, wanted: Path | None) -> str:
    if wanted is None:
        return ""
    # Here, because a template engine takes longer to import than most files to judge.
    from report.drift_page import render_drift_page

    return render_drift_page(checked.to_page())
