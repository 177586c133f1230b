"""`kedge adopt`: watch an endpoint that others made, or the log of a model that others serve."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.models import DIRECTORY, SUFFIX
from cli.operator.commands import EndpointUrl, Region
from cli.refusals import in_a_sentence

if TYPE_CHECKING:
    from cli.adopt.adoption import Adoption


class AdoptedSource(Enum):
    """What can be adopted, as it is typed."""

    ENDPOINT = "endpoint"
    LOG = "log"


def adopt(  # noqa: PLR0913  # an option each
    endpoint: Annotated[
        str, typer.Argument(help="The SageMaker endpoint that is to be watched; with --source log the model.")
    ],
    source: Annotated[
        AdoptedSource,
        typer.Option(help="What is watched: an endpoint's captures, or the log below logs/MODEL/ in the data bucket."),
    ] = AdoptedSource.ENDPOINT,
    model: Annotated[str | None, typer.Option(help="The model's name.", show_default="the endpoint's")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The training rows: a file, a folder or s3://; with a column `prediction` the model's answers to rows that it "
            "has not learnt from."
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column of --baseline with the truth.")] = None,
    baseline_days: Annotated[
        int,
        typer.Option(min=1, max=90, help="Without --baseline: how many of the first captured days are the baseline."),
    ] = 14,
    out: Annotated[Path | None, typer.Option(help="The YAML.", show_default="models/NAME.yaml")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write it; without this, it is only shown.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Watch an endpoint that others made, or a model's log: drift is judged and told, and nothing is ever changed."""
    with in_a_sentence("adopt"):
        from cli.adopt.adoption import Wish, default_name, plan_adoption
        from cli.adopt.writing import write_adoption
        from cli.operator.deployment import Deployment

        name = default_name(endpoint, model)
        path = out or DIRECTORY / f"{name}{SUFFIX}"
        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        found = plan_adoption(deployment, Wish(endpoint, name, baseline, label, baseline_days, path, source.value))
        _show(found, path, applied=apply)
        if apply:
            write_adoption(deployment, found, path)
    _say_what_next(found, path, applied=apply)


def _show(found: Adoption, path: Path, *, applied: bool) -> None:
    champion, endpoint = found.champion, found.endpoint
    if found.yaml_is_new:
        typer.echo(f"{path}:\n")
        typer.echo("".join(f"    {line}\n" for line in found.yaml.splitlines()))
    if found.config.source == "log":
        typer.echo(f"log        below {endpoint.capture_uri}/yyyy/mm/dd/hh/")
    else:
        typer.echo(f"endpoint   {endpoint.name} serves {endpoint.model_name} with the config {endpoint.config}")
        typer.echo(f"captures   {endpoint.sampling_percentage} % of the requests, below {endpoint.capture_uri}")
    typer.echo(f"baseline   {found.baseline_of}, as version {champion.package_version}")
    typer.echo(f"judged     from {champion.promoted_at:%Y-%m-%d %H:%M} UTC on")
    if found.before is not None:
        typer.echo(f"before     {found.before.package_version}, whose past stays")
    for note in dict.fromkeys(found.notes):
        typer.echo(f"- {note}")
    if applied:
        return
    typer.echo(
        "\nNothing was written. With --apply Kedge writes the YAML, the baseline and the champion; what is watched stays as it is."
    )


def _say_what_next(found: Adoption, path: Path, *, applied: bool) -> None:
    if not applied:
        return
    typer.echo(f"\n{found.config.model} is adopted; nothing of what is watched was changed. Next:")
    for number, step in enumerate(found.next_steps, start=1):
        typer.echo(f"{number}. {step}")
