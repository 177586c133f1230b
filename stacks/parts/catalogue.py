"""The models' YAML files at synth time, and the teams that they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.config.stage import NO_STAGE, Stage
from kedge.config.teams import TEAMS, Teams, parse_teams, with_owner
from kedge.errors import ModelConfigError


def load_models(directory: Path, stage: Stage = NO_STAGE) -> list[ModelConfig]:
    """Read every model's YAML, in the order of their names, with what its team says, as it is deployed in a stage."""
    return as_deployed(read_models(directory), directory, stage)


def read_models(directory: Path) -> list[ModelConfig]:
    """Read every model's YAML, in the order of their names; a file is named after its model."""
    models = []
    for path in sorted(directory.glob("*.yaml")):
        models.append(parse_model_config(path.read_text(), source=str(path)))
        if path.stem != models[-1].model:
            problem = f"the model {models[-1].model!r} belongs in {models[-1].model}.yaml"
            raise ModelConfigError(source=str(path), problems=[problem])
    return models


def as_deployed(models: Iterable[ModelConfig], directory: Path, stage: Stage) -> list[ModelConfig]:
    """The models with the addresses of their teams, and the names of their stage."""
    teams = load_teams(directory)
    return [with_owner(model, teams).in_stage(stage) for model in models]


def load_teams(directory: Path) -> Teams:
    """Read `teams.yaml` beside the folder of models; without it there are no teams."""
    path = directory.parent / TEAMS
    return parse_teams(path.read_text("utf-8"), source=str(path)) if path.exists() else Teams()
