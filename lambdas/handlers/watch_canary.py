"""Watch a canary: compare its captured answers with the champion's, and put the gauge that its rollback alarm reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.config.model import ModelConfig
from kedge.errors import UnknownPackageError
from kedge.instants import to_text
from kedge.release.canary import CanaryVerdict
from kedge.release.canary_reading import NOTHING
from kedge.release.proof import LastWatch
from lambdas.adapters import clients
from lambdas.adapters.models import load_model
from lambdas.adapters.release import canary_traffic, endpoints, model_registry
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.state import canary_watch, champions
from lambdas.adapters.state.canary_watch import CanaryWatch
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.release.canary_look import Bake, look, look_at_returned, table_of

# Reading for errors ends here, so that the gauge is put: what is left is read by the next look.
RESERVE_SECONDS = 30


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


class TriedRelease(BaseModel, frozen=True):
    """The part of the execution's input that only a roll-back has."""

    rollback: dict[str, str] | None = None

    @property
    def at_once(self) -> bool:
        """Whether a package comes back by the fast way."""
        return "now" in (self.rollback or {})


class Request(BaseModel, frozen=True):
    """A canary that bakes."""

    model: str
    run: str
    time: AwareDatetime
    package_arn: str
    package_version: str
    endpoint_config: str
    previous_config: str
    started: AwareDatetime
    request: TriedRelease = TriedRelease()


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look at the canary once; SETTLED when the endpoint is not being updated any more."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config = load_model(request.model, settings.data_bucket)
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), config.endpoint.name)
    if endpoint is None or endpoint.settled:
        return {"verdict": "SETTLED", "watch": {}}
    since = endpoint.baking_since(request.started)
    if since is None:
        # The fleet is still being made, or the old one taken down: there is nothing to compare.
        watched(request)
        return {"verdict": "BAKING", "watch": {}}
    before = canary_watch.load(clients.dynamodb(), settings.state_table, request.model)
    before = before if before is not None and before.run == request.run else None

    def may_go_on() -> bool:
        return bool(context.get_remaining_time_in_millis() > RESERVE_SECONDS * 1000)

    bake = bake_of(request, settings, config, endpoint, since)
    looks_at = look_at_returned if request.request.at_once else look
    verdict, requests, reading = looks_at(bake, before.reading if before else NOTHING, may_go_on)
    if (word := taken_back(request.package_arn)) is not None:
        verdict = CanaryVerdict("MISBEHAVING", (word,), verdict.judged)
    # The bake's clock starts anew when the last traffic moves: what was judged before that still counts.
    judged = max(verdict.judged, before.last.judged if before else 0)
    last = LastWatch(verdict.verdict, verdict.reasons, judged, table_of(bake, verdict))
    seen = CanaryWatch(
        run=request.run,
        package_version=request.package_version,
        endpoint_config=request.endpoint_config,
        requests=requests,
        seen_at=to_text(request.time),
        last=last,
        reading=reading,
    )
    tell(request, settings, seen, verdict.gauge)
    watch = {"verdict": verdict.verdict, "reasons": list(verdict.reasons), "requests": requests, "gauge": verdict.gauge}
    return {"verdict": "BAKING", "watch": watch}


def bake_of(
    request: Request, settings: Settings, config: ModelConfig, endpoint: EndpointState, since: datetime
) -> Bake:
    """What a look works on."""
    return Bake(
        config=config,
        endpoint=endpoint,
        package_version=request.package_version,
        endpoint_config=request.endpoint_config,
        previous_config=request.previous_config,
        champion=champions.load(clients.dynamodb(), settings.state_table, request.model),
        started=request.started,
        since=since,
        now=request.time,
        bucket=settings.data_bucket,
    )


def tell(request: Request, settings: Settings, seen: CanaryWatch, gauge: int) -> None:
    """Tell the rollback alarm what the look saw, and remember it."""
    # The gauge first: whatever else fails, the alarm knows.
    canary_traffic.put_gauge(
        clients.cloudwatch(), model=request.model, endpoint_config=request.endpoint_config, value=gauge
    )
    watched(request)
    canary_watch.save(clients.dynamodb(), settings.state_table, request.model, seen)
    logger.info(
        "watched", model=request.model, verdict=seen.last.verdict, requests=seen.requests, reasons=seen.last.reasons
    )


def watched(request: Request) -> None:
    """Put that the canary is watched: without this, an alarm sends it back."""
    canary_traffic.put_look(clients.cloudwatch(), model=request.model, endpoint_config=request.endpoint_config)


def taken_back(package_arn: str) -> str | None:
    """A sentence if the package is no longer approved, else None: a person's newest decision counts."""
    try:
        package = model_registry.describe_package(clients.sagemaker(), package_arn)
    except UnknownPackageError:
        return f"version {package_arn.rpartition('/')[2]} was deleted in the registry: the canary goes back"
    if package.approval_status == "Approved":
        return None
    by = f" by {package.approved_by}" if package.approved_by else ""
    return f"version {package.version} is {package.approval_status} in the registry{by}: the canary goes back"
