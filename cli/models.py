"""The models' YAML files as synth and the functions will read them, and `kedge models validate`, which says what is wrong with each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.refusals import BAD_INPUT, BadInputError, in_a_sentence
from kedge.config.capture_place import log_prefix
from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError

SUFFIX, IGNORED_SUFFIX = ".yaml", ".yml"
DIRECTORY = Path(__file__).resolve().parents[1] / "models"


@dataclass(frozen=True)
class ModelFile:
    """One file: what it says, or its problem in words."""

    path: Path
    summary: str = ""
    problem: str = ""


def read_model_files(place: Path) -> list[ModelFile]:
    """Read one YAML, or all of a folder, and compare them with each other."""
    if not place.exists():
        raise BadInputError(f"{place}: there is no such file or folder")
    files = [place] if place.is_file() else sorted(f for f in place.iterdir() if f.suffix in (SUFFIX, IGNORED_SUFFIX))
    if not files:
        raise BadInputError(f"{place}: no model's YAML is there; `kedge init` writes one")
    endpoints: dict[str, Path] = {}
    return [_read(path, endpoints) for path in files]


def read_model(path: Path) -> ModelConfig:
    """Read one YAML, and no more of a file than a YAML may have."""
    # Here, because a check without a YAML needs none of it.
    from kedge.config.reading import CHARACTERS_MAX, parse_model_config

    with path.open(encoding="utf-8") as file:
        return parse_model_config(file.read(CHARACTERS_MAX + 1), source=str(path))


def _read(path: Path, endpoints: dict[str, Path]) -> ModelFile:
    try:
        config = read_model(path)
    except ModelConfigError as error:
        return ModelFile(path, problem=str(error))
    except UnicodeDecodeError:
        return ModelFile(path, problem=f"{path}: this is not text in UTF-8; save it as such")
    if path.name != f"{config.model}{SUFFIX}":
        return ModelFile(path, problem=f"{path}: the model {config.model!r} belongs in {config.model}{SUFFIX}")
    if config.source == "endpoint" and config.endpoint.name in endpoints:
        other = endpoints[config.endpoint.name]
        problem = f"{path}: the endpoint {config.endpoint.name!r} is watched by {other.name} already; an endpoint can have one model"
        return ModelFile(path, problem=problem)
    if config.source == "endpoint":
        endpoints[config.endpoint.name] = path
    return ModelFile(path, summary=_summary(config))


def _summary(config: ModelConfig) -> str:
    watched, days = sum(feature.watched for feature in config.features), config.cadence.window_days
    only = "watched only, " if config.mode == "watch" else ""
    where = (
        f"endpoint {config.endpoint.name}" if config.source == "endpoint" else f"log below {log_prefix(config.model)}/"
    )
    return (
        f"{only}{config.problem}, {watched} of {len(config.features)} features watched, judged {config.cadence.judge} over "
        f"{days} day{'' if days == 1 else 's'}, {where}"
    )


def validate(
    directory: Annotated[
        Path, typer.Argument(help="Folder with a YAML per model, or one such file.", show_default="models")
    ] = DIRECTORY,
) -> None:
    """Check every model's YAML. Exit code 0: all can be followed; 2: one cannot, and each problem is named."""
    from rich.console import Console
    from rich.markup import escape

    from cli.models import read_model_files

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
