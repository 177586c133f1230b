"""`teams.yaml`: the teams of a deployment, and the routes of models that have none of their own."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from kedge.config.model import ModelConfig
from kedge.config.owners import Owner, Route, Team
from kedge.config.reading import parse_document
from kedge.config.sections import Section
from kedge.errors import ModelConfigError

# The file's name, beside the folder of models.
TEAMS = "teams.yaml"


class TeamOwner(Owner):
    """A team's addresses and, where its channels are not those of other teams, its own routes."""

    routes: tuple[Route, ...] | None = None


class Teams(Section):
    """The teams by name; `default` is the team of a model that names none."""

    default: Team | None = None
    teams: Mapping[Team, TeamOwner] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    @model_validator(mode="after")
    def _default_is_a_team(self) -> Teams:
        if self.default is not None and self.default not in self.teams:
            raise ValueError(
                f"default is {self.default!r}, which is not among teams: {', '.join(self.teams) or 'none'}"
            )
        if named := [name for name, owner in self.teams.items() if owner.team]:
            raise ValueError(f"teams.{named[0]}.team: a team's name stands before it, not in it")
        return self

    def mail_list(self, config: ModelConfig) -> str | None:
        """The list whose addresses a model's alarms go to: its team's, or its own; None where they go to the deployment's address."""
        if not config.owner.email:
            return None
        team = self.teams.get(config.owner.team or "")
        is_its_teams = team is not None and team.email == config.owner.email
        return f"team-{config.owner.team}" if is_its_teams else f"model-{config.model}"


def parse_teams(text: str, *, source: str) -> Teams:
    """Read `teams.yaml`.

    Raises
    ------
    ModelConfigError
        Naming the file, the field, the value and what would be allowed.
    """
    return parse_document(Teams, text, source=source)


def with_owner(config: ModelConfig, teams: Teams) -> ModelConfig:
    """The model with its team's addresses where it has none of its own; its routes are its own, its team's, or all teams'.

    Raises
    ------
    ModelConfigError
        Its team is not in `teams.yaml`, or a route leads to a channel without an address.
    """
    name = config.owner.team or teams.default
    if name is not None and name not in teams.teams:
        known = ", ".join(teams.teams) or "none"
        problem = f"owner.team is {name!r}, which is not in teams.yaml; the teams there are: {known}"
        raise ModelConfigError(source=f"{config.model}.yaml", problems=[problem])
    theirs = teams.teams[name] if name is not None else TeamOwner()
    own = {field for field in Owner.model_fields if getattr(config.owner, field)}
    owner = Owner(**{f: getattr(config.owner if f in own else theirs, f) for f in Owner.model_fields} | {"team": name})
    routes = next((r for r in (config.alerts.routes, theirs.routes) if r is not None), teams.routes or None)
    for route in routes or ():
        # Mail without an address of its own goes to the deployment's.
        if absent := sorted({*route.to} - owner.reachable - {"email"}):
            place = f"owner.{absent[0]}"
            where = f"neither {place} nor the team {name!r} in teams.yaml" if name else f"no {place}"
            remedy = f"; write it there, or give the team routes of its own (teams.{name}.routes)" if name else ""
            problem = f"a route leads to {', '.join(absent)}, and {where} has an address{remedy}"
            raise ModelConfigError(source=f"{config.model}.yaml", problems=[problem])
    return config.model_copy(update={"owner": owner, "alerts": config.alerts.model_copy(update={"routes": routes})})
