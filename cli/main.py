"""The `kedge` command and its subcommands."""

from __future__ import annotations

import typer

from cli.check import check

app = typer.Typer(
    name="kedge", no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False,
    help="Watches models on SageMaker: drift, quality, retraining, release.",
)  # fmt: skip


@app.callback()
def kedge() -> None:
    """Keep every command a subcommand, also while there is one."""


app.command("check")(check)
