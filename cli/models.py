"""The models' YAML files as synth and the functions will read them, and `kedge models validate`, which says what is wrong with each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.refusals import BAD_INPUT, BadInputError, in_a_sentence
from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError

if TYPE_CHECKING:
    from kedge.config.teams import Teams

SUFFIX, IGNORED_SUFFIX = ".yaml", ".yml"
DIRECTORY = Path(__file__).resolve().parents[1] / "models"


@dataclass(frozen=True)
class ModelFile:
    """One file: what it says, or its problem in words."""

    path: Path
    summary: str = ""
    problem: str = ""
    # With the addresses of its team; None where there is a problem.
    config: ModelConfig | None = None


def read_model_files(place: Path) -> list[ModelFile]:
    """Read one YAML, or all of a folder, and compare them with each other."""
    if not place.exists():
        raise BadInputError(f"{place}: there is no such file or folder")
    files = [place] if place.is_file() else sorted(f for f in place.iterdir() if f.suffix in (SUFFIX, IGNORED_SUFFIX))
    if not files:
        raise BadInputError(f"{place}: no model's YAML is there; `kedge init` writes one")
    known: dict[str, Path] = {}
    return [_read(path, known, _teams_of(path)) for path in files]


def _teams_of(path: Path) -> Teams:
    """What `teams.yaml` beside the folder of models says."""
    from kedge.config.teams import TEAMS, Teams, parse_teams

    teams = path.parent.parent / TEAMS
    return parse_teams(teams.read_text("utf-8"), source=str(teams)) if teams.exists() else Teams()


def read_model(path: Path) -> ModelConfig:
    """Read one YAML, and no more of a file than a YAML may have."""
    # Here, because a check without a YAML needs none of it.
    from kedge.config.reading import CHARACTERS_MAX, parse_model_config

    with path.open(encoding="utf-8") as file:
        return parse_model_config(file.read(CHARACTERS_MAX + 1), source=str(path))


def _read(path: Path, known: dict[str, Path], teams: Teams) -> ModelFile:
    from kedge.config.teams import with_owner
    from lambdas.stage import current

    try:
        config = with_owner(read_model(path), teams).in_stage(current())
    except ModelConfigError as error:
        return ModelFile(path, problem=str(error))
    except UnicodeDecodeError:
        return ModelFile(path, problem=f"{path}: this is not text in UTF-8; save it as such")
    if path.name != f"{config.model}{SUFFIX}":
        return ModelFile(path, problem=f"{path}: the model {config.model!r} belongs in {config.model}{SUFFIX}")
    answers = config.answers_from
    if answers in known:
        problem = f"{path}: its {answers} is watched by {known[answers].name} already; one model can watch it"
        return ModelFile(path, problem=problem)
    known[answers] = path
    return ModelFile(path, summary=_summary(config), config=config)


def _summary(config: ModelConfig) -> str:
    watched, days = sum(feature.watched for feature in config.features), config.cadence.window_days
    only = "watched only, " if config.mode == "watch" else ""
    return (
        f"{only}{config.problem}, {watched} of {len(config.features)} features watched, judged {config.cadence.judge} over "
        f"{days} day{'' if days == 1 else 's'}, {config.answers_from}"
    )


def validate(
    directory: Annotated[
        Path, typer.Argument(help="Folder with a YAML per model, or one such file.", show_default="models")
    ] = DIRECTORY,
    data: Annotated[
        str | None,
        typer.Option(help="First rows, a Parquet file or s3:// object: read and split as a retraining would do it."),
    ] = None,
    at: Annotated[
        datetime | None, typer.Option(help="With --data: the time (UTC) of that retraining.", show_default="now")
    ] = None,
    script: Annotated[
        bool, typer.Option("--script", help="With --data: also train and score on a few hundred of the rows, here.")
    ] = False,
    python: Annotated[
        str | None,
        typer.Option(help="With --script: the Python that has the image's libraries.", show_default="kedge's own"),
    ] = None,
) -> None:
    """Check every model's YAML, and one model's first rows and scripts.

    Exit code 0: all can be followed; 2: one cannot, and each problem is named.
    """
    from rich.console import Console
    from rich.markup import escape

    from cli.models import read_model_files

    console = Console(highlight=False, soft_wrap=True)
    with in_a_sentence("models validate"):
        if data is None and (at or script or python):
            raise BadInputError("--at, --script and --python go with --data, which names the first rows")
        files = read_model_files(directory)
        if data is not None and len(files) > 1:
            raise BadInputError(f"--data is about one model: name its YAML, such as {files[0].path}")
    for file in files:
        if file.problem:
            console.print(f"[bold red]bad[/bold red] {escape(file.problem)}")
        else:
            console.print(f"[green]ok[/green]  {escape(file.path.name)}: {escape(file.summary)}")
    if any(file.problem for file in files):
        raise typer.Exit(BAD_INPUT)
    if data is not None:
        # Here, because a check of the YAML alone needs no Arrow.
        from cli.rehearsal.command import rehearse

        with in_a_sentence("models validate"):
            is_well = rehearse(
                read_model(files[0].path),
                data,
                now=at or datetime.now(UTC),
                script=script,
                python=python,
                tell=console.print,
            )
        if not is_well:
            raise typer.Exit(BAD_INPUT)
