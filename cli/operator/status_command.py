"""`kedge status`: every model in a line, the one that needs a person first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.operator.commands import EndpointUrl, Region
from cli.refusals import BAD_INPUT, in_a_sentence

if TYPE_CHECKING:
    from kedge.alerts.urgency import ModelStatus

NEEDS_A_PERSON = 1


def status(
    models: Annotated[list[str] | None, typer.Argument(help="Only these models.", show_default="every model")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team's models.")] = None,
    response_days: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Also how fast losses of the last days were told (MTTD) and repaired (MTTR); reads the timelines.",
            show_default="not read",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, the most urgent model first.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Show how every model stands, the most urgent first: severity, then loss times traffic.

    Exit code 0: nothing to do; 1: something needs a person; 2: a model, or all, could not be looked at.
    """
    with in_a_sentence("status"):
        from cli.operator.deployment import Deployment
        from cli.operator.standing import response_times, statuses

        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        found = statuses(deployment, only=models or (), team=team)
        now = deployment.now
        responses = response_times(deployment, found, response_days, now) if response_days else {}
    if as_json:
        from cli.operator.status_table import to_json

        typer.echo(json.dumps([to_json(one, responses) for one in found], indent=2))
    else:
        from cli.operator.status_table import print_response_times, print_statuses

        print_statuses(found, now)
        if response_days:
            print_response_times(responses, response_days)
    if code := exit_code(found):
        raise typer.Exit(code)


def exit_code(found: list[ModelStatus]) -> int:
    """What the shell gets; that something could not be seen wins, or a broken look would pass as quiet."""
    if any(one.unread for one in found):
        return BAD_INPUT
    return NEEDS_A_PERSON if any(one.needs_a_person for one in found) else 0
