"""Pin what a training job wrote, before anything is judged by it: what is scored, registered and released is this copy."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from kedge.errors import UnfinishedTrainingError
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout
from lambdas.adapters.training import artefacts, finished_trainings
from lambdas.adapters.training.finished_trainings import FinishedTraining
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Uses(BaseModel, frozen=True):
    """What the job was given, the run that trained it, and the execution that goes on with it."""

    inputs: str
    trained_by: str
    execution: str


class Request(BaseModel, frozen=True):
    """A training job that has ended, and where SageMaker says that its artefact is."""

    model: str
    run: str
    job: str
    artefact_uri: str
    status: str = "Completed"
    uses: Uses | None = None


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Copy the artefact to where no job can write, note that it is there, and say its digest and its size."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    if request.status != "Completed":
        # A job whose time is over has ended too, perhaps with half a model.
        raise UnfinishedTrainingError(job=request.job, status=request.status)
    key = layout.artefact_key(request.model, request.job)
    sha256 = artefacts.pin(clients.s3(), settings.data_bucket, source_uri=request.artefact_uri, key=key)
    # What Kedge did not train is not used again. A machine that began before these were told does not say them.
    if (uses := request.uses) and uses.inputs:
        training = FinishedTraining(
            uses.inputs, uses.trained_by, request.job, request.artefact_uri, sha256, uses.execution
        )
        finished_trainings.save(clients.s3(), settings.data_bucket, request.model, training)
    logger.info("pinned", model=request.model, run=request.run, key=key, sha256=sha256)
    size = artefacts.size(clients.s3(), settings.data_bucket, key)
    return {"uri": f"s3://{settings.data_bucket}/{key}", "sha256": sha256, "bytes": size}
