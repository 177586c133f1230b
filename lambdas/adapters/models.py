"""The models' YAML files, which travel in the function's own package: configuration and code are one version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.config.teams import TEAMS, Teams, parse_teams, with_owner
from kedge.errors import UnknownModelError, WatchedModelError

DIRECTORY = Path(__file__).resolve().parents[2] / "models"


def load_models(directory: Path | None = None) -> Mapping[str, ModelConfig]:
    """Every watched model by its name."""
    return _read(directory or DIRECTORY)


@cache
def _read(directory: Path) -> Mapping[str, ModelConfig]:
    path = directory.parent / TEAMS
    teams = parse_teams(path.read_text("utf-8"), source=TEAMS) if path.exists() else Teams()
    configs = (parse_model_config(p.read_text("utf-8"), source=p.name) for p in sorted(directory.glob("*.yaml")))
    return {config.model: with_owner(config, teams) for config in configs}


def load_model(name: str) -> ModelConfig:
    """One model; an unknown name raises `UnknownModelError`."""
    models = load_models()
    if name not in models:
        raise UnknownModelError(model=name, known=sorted(models))
    return models[name]


def load_managed_model(name: str) -> ModelConfig:
    """The same of a model that is about to be retrained or released; one that is only watched raises `WatchedModelError`."""
    config = load_model(name)
    if config.mode == "watch":
        raise WatchedModelError(model=name)
    return config
