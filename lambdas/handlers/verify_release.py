"""Verify that a release is what was asked for, and that it was tried enough to be believed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.errors import EndpointBusyError, EndpointFailedError
from kedge.release_proof import CaptureProof, ReleaseProof, judge_capture, judge_release
from lambdas.adapters import canary_traffic, canary_watch, clients, endpoints
from lambdas.adapters.models import load_model
from lambdas.handlers.entry import entry
from lambdas.handlers.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    state_table: str


class Request(BaseModel, frozen=True):
    """A deployment that has ended, or an endpoint that was created."""

    model: str
    run: str
    time: AwareDatetime
    endpoint_config: str
    previous_config: str | None = None
    started: AwareDatetime | None = None


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge the endpoint as it stands, and forget the canary."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    proof, capture = prove(request, settings)
    # Promoted or not, it is a canary no more.
    canary_watch.forget(clients.dynamodb(), settings.state_table, request.model, request.run)
    logger.info("verified", model=request.model, verdict=proof.verdict, reasons=proof.reasons, capture=capture)
    return {
        "verdict": proof.verdict,
        "reasons": [*proof.reasons, *capture.reasons],
        "serving": proof.serving,
        "capture": asdict(capture),
    }


def prove(request: Request, settings: Settings) -> tuple[ReleaseProof, CaptureProof]:
    """Gather what the endpoint, its metrics and the last watch say."""
    config, sagemaker = load_model(request.model), clients.sagemaker()
    endpoint = endpoints.describe_endpoint(sagemaker, config.endpoint.name)
    if endpoint is None or not endpoint.settled:
        raise EndpointBusyError(endpoint=config.endpoint.name, status=endpoint.status if endpoint else "absent")
    if endpoint.status != "InService":
        raise EndpointFailedError(endpoint=endpoint.name, status=endpoint.status, reason=endpoint.failure_reason)
    watch = canary_watch.load(clients.dynamodb(), settings.state_table, request.model)
    requests = None
    if request.previous_config:
        requests = canary_traffic.count_requests(
            clients.cloudwatch(),
            endpoint=endpoint.name,
            variant=endpoint.variant,
            endpoint_config=request.endpoint_config,
            start=request.started or request.time - timedelta(days=1),
            end=request.time,
        )
    # Where the endpoint went back, this is the old config, whose captures matter as much.
    planned = endpoints.describe_served_model(sagemaker, endpoint.endpoint_config).capture
    capture = judge_capture(config=endpoint.endpoint_config, planned=planned, found=endpoint.capture)
    proof = judge_release(
        asked=request.endpoint_config,
        found=endpoint.endpoint_config,
        failure_reason=endpoint.failure_reason,
        watch=watch.last if watch and watch.run == request.run else None,
        requests=requests,
        minimum_requests=config.canary.minimum_requests,
    )
    return proof, capture
