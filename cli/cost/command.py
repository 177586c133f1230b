"""`kedge cost`: an estimate of what models cost a month, from their YAML alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.models import DIRECTORY, read_model_files
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from kedge.config.model import ModelConfig
    from kedge.cost.estimate import ModelCost
    from kedge.cost.lines import Line


def cost(
    model: Annotated[str | None, typer.Argument(help="A model of models/, by its name.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All models of models/.")] = False,
    config: Annotated[Path | None, typer.Option(help="A YAML elsewhere, which need not be deployed.")] = None,
    rows_a_day: Annotated[
        int, typer.Option(min=1, help="Rows that each model answers a day, one in a request.")
    ] = 10_000,
    changes: Annotated[
        float, typer.Option(min=0, help="Retrainings a month that end in a release, of each model that Kedge manages.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object, with nothing rounded.")] = False,
) -> None:
    """Estimate what models cost a month, before they are deployed; no AWS account is asked.

    Exit code 0: it was estimated; 2: there is no such model, or its YAML cannot be followed.
    """
    with in_a_sentence("cost"):
        wanted, others = wanted_models(model, every, config)
        from cli.cost.coefficients import read_coefficients
        from cli.cost.table import print_estimates
        from kedge.cost.estimate import deployment_lines, estimate
        from kedge.cost.lines import total

        measured, together = read_coefficients(), [*wanted, *others]
        fixed = deployment_lines(measured, is_hourly=any(each.cadence.is_hourly for each in together))
        share = total(fixed) / len(together)
        found = [
            estimate(each, measured, rows_a_day=rows_a_day, changes_a_month=changes, share_usd=share) for each in wanted
        ]
    if as_json:
        typer.echo(json.dumps(as_document(found, fixed, len(together)), indent=2))
    else:
        print_estimates(found, fixed, len(together))


def wanted_models(model: str | None, every: bool, config: Path | None) -> tuple[list[ModelConfig], list[ModelConfig]]:
    """The models to estimate, and the others that share the deployment with them."""
    if sum((model is not None, every, config is not None)) != 1:
        raise BadInputError("name a model of models/, or say --all, or --config with a YAML: one of the three")
    if config is not None:
        (file,) = read_model_files(config) if config.is_file() else (None,)
        if file is None:
            raise BadInputError(f"--config {config}: there is no such file; name a model's YAML")
        if file.config is None:
            raise BadInputError(file.problem)
        return [file.config], [each for each in _deployed() if each.model != file.config.model]
    known = _deployed()
    if every:
        return known, []
    found = [each for each in known if each.model == model]
    if not found:
        raise BadInputError(
            f"models/ has no {model}.yaml; it has {', '.join(each.model for each in known)}. A YAML elsewhere: --config FILE"
        )
    return found, [each for each in known if each.model != model]


def as_document(found: list[ModelCost], fixed: list[Line], models: int) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "usd_a_month": sum(each.usd for each in found),
        "models": [each.to_json() for each in found],
        "deployment": {"shared_by": models, "lines": [line.to_json() for line in fixed]},
    }


def _deployed() -> list[ModelConfig]:
    files = read_model_files(DIRECTORY)
    for file in files:
        if file.config is None:
            raise BadInputError(file.problem)
    return [file.config for file in files if file.config is not None]
