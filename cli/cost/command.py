"""`kedge cost`: an estimate of what models cost a month, from their YAML alone; with `--actual` what was really spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.models import DIRECTORY, read_model_files
from cli.operator.commands import EndpointUrl, Region, deployment_of
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from kedge.config.model import ModelConfig
    from kedge.cost.estimate import ModelCost
    from kedge.cost.lines import Line


# What each of the two commands in one does not look at.
_ESTIMATES = {"every": "--all", "config": "--config", "rows_a_day": "--rows-a-day", "changes": "--changes"}
_READS = {"days": "--days", "region": "--region", "endpoint_url": "--endpoint-url"}


def cost(  # noqa: PLR0913  # an option each
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(help="A model of models/, by its name.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All models of models/, a line each.")] = False,
    config: Annotated[Path | None, typer.Option(help="A YAML elsewhere, which need not be deployed.")] = None,
    rows_a_day: Annotated[
        int, typer.Option(min=1, help="Rows that each model answers a day, one in a request.")
    ] = 10_000,
    changes: Annotated[
        float, typer.Option(min=0, help="Retrainings a month that end in a release, of each model that Kedge manages.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object, with nothing rounded.")] = False,
    actual: Annotated[
        bool, typer.Option("--actual", help="What the deployment has really cost, as Cost Explorer and Lambda say.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=365, help="With --actual: how many days back, UTC.")] = 30,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Estimate what models cost a month, before they are deployed; no AWS account is asked, but with --actual.

    Exit code 0: it was estimated, or read; 2: there is no such model, its YAML cannot be followed, or AWS knows no costs.
    """
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    with in_a_sentence("cost"):
        if actual:
            if unread := [option for name, option in _ESTIMATES.items() if name in given]:
                raise BadInputError(
                    f"--actual reads what was spent: name a model, or none for all, and remove {' and '.join(unread)}"
                )
            show_actual(model, region, endpoint_url, days, as_json=as_json)
            return
        if unread := [option for name, option in _READS.items() if name in given]:
            raise BadInputError(
                f"an estimate asks no AWS account: remove {' and '.join(unread)}, or say --actual for what was spent"
            )
        wanted, others = wanted_models(model, every, config)
        from cli.cost.coefficients import read_coefficients
        from cli.cost.table import print_estimates
        from kedge.cost.estimate import deployment_lines, estimate
        from kedge.cost.lines import total
        from lambdas.adapters.owners import mail_list

        measured, together = read_coefficients(), [*wanted, *others]
        lists = {mail_list(each) for each in together} - {None}
        is_hourly = any(each.cadence.is_hourly for each in together)
        fixed = deployment_lines(measured, is_hourly=is_hourly, lists=len(lists))
        share = total(fixed) / len(together)
        found = [
            estimate(each, measured, rows_a_day=rows_a_day, changes_a_month=changes, share_usd=share) for each in wanted
        ]
    if as_json:
        typer.echo(json.dumps(as_document(found, fixed, len(together)), indent=2))
    else:
        print_estimates(found, fixed, len(together))


def show_actual(model: str | None, region: str | None, endpoint_url: str | None, days: int, *, as_json: bool) -> None:
    """Print what was spent by service, by model and by function; of one model alone where it is named."""
    from cli.cost.actual import read_spent
    from cli.cost.table import print_spent

    found = read_spent(deployment_of(region, endpoint_url), days)
    if model is not None and model not in found.by_model:
        known = found.why_no_model or f"there are costs of: {', '.join(sorted(found.by_model))}"
        raise BadInputError(f"nothing was spent that carries the model {model}; {known}")
    if as_json:
        typer.echo(
            json.dumps(
                found.to_json() if model is None else {"model": model, "usd": found.by_model.get(model, 0.0)}, indent=2
            )
        )
    else:
        print_spent(found, model)


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
