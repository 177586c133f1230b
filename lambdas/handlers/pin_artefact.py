"""Pin what a training job wrote, before anything is judged by it: what is scored, registered and released is this copy."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from lambdas.adapters import artefacts, clients
from lambdas.handlers.entry import entry
from lambdas.handlers.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Request(BaseModel, frozen=True):
    """A training job that has ended, and where SageMaker says that its artefact is."""

    model: str
    run: str
    job: str
    artefact_uri: str


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Copy the artefact to where no job can write, and say its digest."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    key = artefacts.pinned_key(request.model, request.job)
    sha256 = artefacts.pin(clients.s3(), settings.data_bucket, source_uri=request.artefact_uri, key=key)
    logger.info("pinned", model=request.model, run=request.run, key=key, sha256=sha256)
    return {"uri": f"s3://{settings.data_bucket}/{key}", "sha256": sha256}
