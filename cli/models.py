"""`kedge models validate`: whether every model's YAML can be followed, before synth or a function finds out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.refusals import BAD_INPUT, in_a_sentence

DIRECTORY = Path(__file__).resolve().parents[1] / "models"


def validate(
    directory: Annotated[
        Path, typer.Argument(help="Folder with a YAML per model, or one such file.", show_default="models")
    ] = DIRECTORY,
) -> None:
    """Check every model's YAML. Exit code 0: all can be followed; 2: one cannot, and each problem is named."""
    from rich.console import Console
    from rich.markup import escape

    from cli.model_files import read_model_files

    console = Console(highlight=False, soft_wrap=True)
    with in_a_sentence("models validate"):
        files = read_model_files(directory)
    for file in files:
        if file.problem:
            console.print(f"[bold red]bad[/bold red] {escape(file.problem)}")
        else:
            console.print(f"[green]ok[/green]  {escape(file.path.name)}: {escape(file.summary)}")
    if any(file.problem for file in files):
        raise typer.Exit(BAD_INPUT)
