"""`kedge backtest`: replay history through the policy, window by window, with the code that the Lambdas run."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.check.command import ProblemOption
from cli.refusals import in_a_sentence
from cli.written_files import write_all


def backtest(  # noqa: PLR0913  # an option each
    data: Annotated[str, typer.Option(help="Parquet, CSV or JSON lines: a file, a folder, or s3://bucket/prefix.")],
    time: Annotated[str, typer.Option(help="Column with each row's time: dates, timestamps, text or epoch numbers.")],
    baseline_until: Annotated[str, typer.Option(help="Rows before this time are the baseline: 2016-01-31.")],
    window: Annotated[str, typer.Option(help="Length of a window: 28d, 12h, 1w, 30min.")],
    prediction: Annotated[str | None, typer.Option(help="Column with the model's answers.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the truth; it is not a feature.")] = None,
    problem: Annotated[
        ProblemOption | None,
        typer.Option(help="What the model predicts; by default as in the YAML or from the columns."),
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option(help="A model's YAML; further ones are compared with the first.")
    ] = None,
    retraining_cost_usd: Annotated[float, typer.Option(help="What one retraining costs you.")] = 1.0,
    alerts_per_year: Annotated[
        float | None,
        typer.Option(help="Number of messages about drift a year that you accept; thresholds are proposed for it."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the result as a page.")] = None,
) -> None:
    """Replay history: when the policy would have alerted and retrained, and what it would have cost or missed."""
    # Here, because the other commands need none of numpy, scipy and pyarrow.
    from cli.backtest.options import BacktestOptions
    from cli.backtest.table import print_backtest

    options = BacktestOptions(
        data,
        time,
        baseline_until,
        window,
        tuple(config or ()),
        prediction,
        label,
        problem.value if problem else None,
        retraining_cost_usd,
        alerts_per_year,
    )
    with in_a_sentence("backtest"):
        document = _replayed(options)
        told = json.dumps(document, indent=2, allow_nan=False) + "\n" if json_file else ""
        write_all({json_file: told, html_file: _page(document) if html_file else ""})
    print_backtest(document)


def _replayed(options: Any) -> dict[str, Any]:
    from cli.backtest.document import document_of
    from cli.backtest.question import ask
    from cli.backtest.run import run
    from cli.progress import Progress
    from cli.rows.files import open_rows

    with closing(Progress()) as progress:
        question = ask(options, replace(open_rows(options.data), told=progress))
        return document_of(question, run(question))


def _page(document: dict[str, Any]) -> str:
    # Here, because a template engine takes longer to import than most histories to judge.
    from report.backtest_page import render_backtest_page

    return render_backtest_page(document)
