"""`kedge promote`: the next Kedge takes a package that the one before has approved."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.operator.commands import EndpointUrl, Model, Region
from cli.refusals import BadInputError, in_a_sentence


def promote(
    model: Model,
    version: Annotated[str, typer.Argument(help="The package version in the Kedge that it is taken from.")],
    reason: Annotated[str, typer.Option(help="Why; the approver's mail repeats it.")],
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Take a package that the stage before has approved: the same artefact, baseline and gate table, to be decided on here.

    Type it for the stage that takes (`--stage production`). It is approved there like any package, and released as every release.
    """
    with in_a_sentence("promote"):
        from cli.operator.deployment import Deployment, NotDeployedError
        from kedge.instants import to_text

        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        caller = deployment.caller
        asked = {"model": model, "version": version, "time": to_text(caller.time), "by": caller.name, "reason": reason}
        try:
            function = deployment.take_function
        except NotDeployedError as error:
            remedy = "say where packages are taken from: takes_from of its stage, or package_source, in the context of cdk.json"
            raise BadInputError(f"{error}. Or this Kedge takes none; then {remedy}") from error
        taken = deployment.call(function, asked)
    typer.echo(
        f"version {version} is version {taken['version']} here, and waits for approval: kedge approve {model} {taken['version']} "
        "--comment TEXT"
    )
