"""The models' YAML files at synth time, and the teams that they belong to."""

from __future__ import annotations

from pathlib import Path

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.config.stage import NO_STAGE, Stage
from kedge.config.teams import TEAMS, Teams, parse_teams, with_owner
from kedge.errors import ModelConfigError


def load_models(directory: Path, stage: Stage = NO_STAGE) -> list[ModelConfig]:
    """Read every model's YAML, in the order of their names; a file is named after its model."""
    teams = load_teams(directory)
    models = [parse_model_config(path.read_text(), source=str(path)) for path in sorted(directory.glob("*.yaml"))]
    for path, model in zip(sorted(directory.glob("*.yaml")), models, strict=True):
        if path.stem != model.model:
            raise ModelConfigError(
                source=str(path), problems=[f"the model {model.model!r} belongs in {model.model}.yaml"]
            )
    return [with_owner(model, teams).in_stage(stage) for model in models]


def load_teams(directory: Path) -> Teams:
    """Read `teams.yaml` beside the folder of models; without it there are no teams."""
    path = directory.parent / TEAMS
    return parse_teams(path.read_text("utf-8"), source=str(path)) if path.exists() else Teams()
