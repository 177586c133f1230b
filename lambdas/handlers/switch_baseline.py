"""Switch the monitor to a package that has been proved: its baseline, and the champion item."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel

from lambdas.adapters import audit, champions, clients, model_registry
from lambdas.adapters.champions import Champion
from lambdas.adapters.model_registry import Package
from lambdas.adapters.times import from_text
from lambdas.handlers.entry import entry
from lambdas.handlers.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


class Request(BaseModel, frozen=True):
    """A release that was verified; without a previous config it was the endpoint's creation."""

    model: str
    run: str
    time: AwareDatetime
    package_arn: str
    endpoint_config: str
    previous_config: str | None = None


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Let the champion item name the package and its baseline: from here on its windows begin."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    package = model_registry.describe_package(clients.sagemaker(), request.package_arn)
    before = champions.load(clients.dynamodb(), settings.state_table, request.model)
    champion = champion_of(request, package, before)
    champions.save(clients.dynamodb(), settings.state_table, request.model, champion)
    write_down(request, settings, champion)
    logger.info("switched", model=request.model, package=package.arn, baseline=champion.baseline)
    return {"package_version": package.version, "baseline": champion.baseline}


def champion_of(request: Request, package: Package, before: Champion | None) -> Champion:
    """Describe the new champion, with the package that it replaces for whoever must go back."""
    again = before is not None and before.endpoint_config == request.endpoint_config
    learnt_until = package.properties.get(model_registry.TRAINING_END)
    return Champion(
        package_arn=package.arn,
        package_version=package.version,
        baseline=package.version,
        # A rerun of this step must neither move the promotion nor make the champion its own predecessor.
        promoted_at=before.promoted_at if before and again else request.time,
        training_end=from_text(learnt_until) if learnt_until else None,
        endpoint_config=request.endpoint_config,
        # A release names its model like its endpoint config.
        model_name=request.endpoint_config,
        previous_package_arn=(before.previous_package_arn if again else before.package_arn) if before else None,
    )


def write_down(request: Request, settings: Settings, champion: Champion) -> None:
    """Write the promotion and the switch into the timeline; a first endpoint had no canary to promote."""
    detail = {
        "package_version": champion.package_version,
        "package_arn": champion.package_arn,
        "run": request.run,
        "endpoint_config": request.endpoint_config,
    }
    switched = {**detail, "baseline": champion.baseline}
    if champion.previous_package_arn:
        switched["previous_package_arn"] = champion.previous_package_arn
    entries = [("canary_promoted", detail)] if request.previous_config else []
    for kind, facts in [*entries, ("baseline_switched", switched)]:
        audit.record(
            clients.s3(), settings.data_bucket, model=request.model, kind=kind, time=champion.promoted_at, detail=facts
        )
