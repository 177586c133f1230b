"""`kedge models put` and `kedge models remove`: adopted models whose YAML lies in the data bucket, with no deployment between."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.operator.commands import EndpointUrl, Region
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from cli.operator.deployment import Deployment
    from kedge.config.model import ModelConfig

WITHIN = "it is followed from the next tick of its cadence on"


def put(
    file: Annotated[Path, typer.Argument(help="The YAML of a model with `mode: watch`.")],
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Write an adopted model's YAML into the data bucket: a new one, or a changed one. No deployment is needed."""
    with in_a_sentence("models put"):
        from cli.operator.deployment import Deployment

        config = put_definition(Deployment(region=region, endpoint_url=endpoint_url), _read(file))
    typer.echo(
        f"{config.model} is defined in the data bucket; {WITHIN}. A {config.model}.yaml that was deployed would win over it."
    )


def remove(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Take an adopted model's YAML out of the data bucket: it is no longer judged, and its past stays."""
    with in_a_sentence("models remove"):
        from cli.operator.deployment import Deployment
        from lambdas.adapters import adopted
        from lambdas.adapters.bucket import timeline
        from lambdas.adapters.bucket.timeline import Entry

        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        s3, caller = deployment.client("s3"), deployment.caller
        if not adopted.remove(s3, deployment.bucket, model):
            raise BadInputError(
                f"the data bucket defines no model {model!r}; one that was deployed is retired by removing its YAML from models/ and "
                "deploying"
            )
        detail = {"by": caller.name, "reasons": [f"s3://{deployment.bucket}/models/{model}.yaml was removed"]}
        timeline.record(s3, deployment.bucket, Entry(model, "definition_removed", caller.time, detail))
    typer.echo(f"{model} is no longer judged; reports and history stay, and `kedge models put` takes it up again.")


def put_definition(deployment: Deployment, content: bytes) -> ModelConfig:
    """Write a definition, and note in the timeline who did."""
    from lambdas.adapters import adopted
    from lambdas.adapters.bucket import timeline
    from lambdas.adapters.bucket.timeline import Entry

    s3, caller = deployment.client("s3"), deployment.caller
    config = adopted.put(s3, deployment.bucket, content)
    detail = {"by": caller.name, "reasons": [f"s3://{deployment.bucket}/models/{config.model}.yaml was written"]}
    timeline.record(s3, deployment.bucket, Entry(config.model, "defined", caller.time, detail))
    return config


def _read(file: Path) -> bytes:
    from lambdas.adapters.definitions import BYTES_MAX

    with file.open("rb") as opened:
        return opened.read(BYTES_MAX + 1)
