"""Whom a model belongs to: the deployment's teams, whose `teams.yaml` travels in the function's own package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from kedge.config.model import ModelConfig
from kedge.config.teams import TEAMS, Teams, parse_teams, with_owner
from kedge.errors import ModelConfigError
from lambdas import stage
from lambdas.logs import logger

DIRECTORY = Path(__file__).resolve().parents[2]


def owned(config: ModelConfig) -> ModelConfig:
    """The model with its team's addresses, the deployment's routes, and its stage."""
    return with_owner(config, _teams(DIRECTORY / TEAMS)).in_stage(stage.current())


def owned_by_somebody(config: ModelConfig) -> ModelConfig:
    """The same of a model that was deployed, and so was checked: with teams of another moment its own addresses hear, or the deployment's.

    While a deployment runs, the functions have the new `teams.yaml` already, and the definitions are the old ones.
    """
    try:
        return owned(config)
    except ModelConfigError as error:
        logger.error("the owner cannot be followed", model=config.model, problems=error.problems)
    own = config.owner.model_copy(update={"team": None})
    alerts = config.alerts.model_copy(update={"routes": None})
    return config.model_copy(update={"owner": own, "alerts": alerts}).in_stage(stage.current())


def mail_list(config: ModelConfig) -> str | None:
    """The list of addresses that a model's alarms go to; None where they go to the deployment's own."""
    return _teams(DIRECTORY / TEAMS).mail_list(config)


@cache
def _teams(path: Path) -> Teams:
    return parse_teams(path.read_text("utf-8"), source=TEAMS) if path.exists() else Teams()
