"""The models' YAML files, which travel in the function's own package: configuration and code are one version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from kedge.config.model import ModelConfig
from kedge.config.reading import from_json, parse_model_config
from kedge.config.stage import Stage
from kedge.config.teams import TEAMS, Teams, parse_teams, with_owner
from kedge.errors import UnknownModelError, WatchedModelError
from lambdas import stage

DIRECTORY = Path(__file__).resolve().parents[2] / "models"
# Every model of a deployed package as JSON: a function that starts anew reads ten thousand in seconds, and their YAML in half a minute.
PARSED = "parsed.json"
# A name becomes a path, and in the bucket a key: nothing else may.
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}")


def load_models(directory: Path | None = None) -> Mapping[str, ModelConfig]:
    """Every deployed model by its name."""
    place = directory or DIRECTORY
    parsed, here = place / PARSED, stage.current()
    if parsed.is_file():
        return _read_parsed(parsed, here)
    return _by_name(_read(path, here) for path in sorted(place.glob("*.yaml")))


@cache
def _read_parsed(path: Path, _stage: Stage) -> Mapping[str, ModelConfig]:
    return _by_name(owned(from_json(text)) for text in json.loads(path.read_text("utf-8")))


def _by_name(configs: Iterable[ModelConfig]) -> Mapping[str, ModelConfig]:
    return {config.model: config for config in configs}


@cache
def _read(path: Path, _stage: Stage) -> ModelConfig:
    return owned(parse_model_config(path.read_text("utf-8"), source=path.name))


def owned(config: ModelConfig) -> ModelConfig:
    """The model with its team's addresses, the deployment's routes, and its stage."""
    return with_owner(config, _teams(DIRECTORY.parent / TEAMS)).in_stage(stage.current())


def mail_list(config: ModelConfig) -> str | None:
    """The list of addresses that a model's alarms go to; None where they go to the deployment's own."""
    return _teams(DIRECTORY.parent / TEAMS).mail_list(config)


@cache
def _teams(path: Path) -> Teams:
    return parse_teams(path.read_text("utf-8"), source=TEAMS) if path.exists() else Teams()


def is_name(name: str) -> bool:
    """Whether a model can have this name."""
    return _NAME.fullmatch(name) is not None


def find_deployed(name: str) -> ModelConfig | None:
    """One deployed model, by reading its file alone; None where there is none."""
    path = DIRECTORY / f"{name}.yaml"
    return _read(path, stage.current()) if is_name(name) and path.is_file() else None


def load_model(name: str) -> ModelConfig:
    """One deployed model; an unknown name raises `UnknownModelError`."""
    found = find_deployed(name)
    if found is None:
        raise UnknownModelError(model=name, known=sorted(load_models()))
    return found


def load_managed_model(name: str) -> ModelConfig:
    """The same of a model that is about to be retrained or released; one that is only watched raises `WatchedModelError`."""
    config = load_model(name)
    if config.mode == "watch":
        raise WatchedModelError(model=name)
    return config
