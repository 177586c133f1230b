"""Take on what a SageMaker pipeline, or a tuning job, has trained, in the place of a training job's result."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel

from lambdas.adapters import clients
from lambdas.adapters.models import load_managed_model
from lambdas.adapters.state import windows
from lambdas.adapters.training import foreign_packages, pipelines, tuning_jobs
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.release.foreign_packages import taken_note


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str


class Request(BaseModel, frozen=True):
    """An execution of the pipeline, or a tuning job, that has ended, and the challenger's model as the YAML would make it."""

    model: str
    run: str
    time: AwareDatetime
    execution_arn: str = ""
    tuning_job: str = ""
    challenger_model: dict[str, Any]


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Find the package or the artefact, and say what is pinned, scored and judged."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config, sagemaker = load_managed_model(request.model, settings.data_bucket), clients.sagemaker()
    if request.tuning_job:
        return best_of_tuning(request)
    package_arn, job = pipelines.made_by(sagemaker, request.execution_arn, group=config.package_group)
    said = f"trained by the pipeline {config.training.pipeline}"
    if package_arn is None:
        training = {"job": job, "artefact_uri": pipelines.artefact_of(sagemaker, str(job)), "status": "Completed"}
        return {
            "training": training | {"run": request.run, "reason": said},
            "challenger_model": request.challenger_model,
        }
    package = foreign_packages.load(sagemaker, package_arn, content_type=config.endpoint.content_type)
    # The event of its registration is on its way, or waits until this run has ended: it is not to be judged once more.
    windows.remember_told(
        clients.dynamodb(), settings.state_table, request.model, taken_note(package_arn), now=request.time
    )
    logger.info("taken on", model=request.model, run=request.run, package=package_arn)
    reason = f"{said} as package version {package.version}"
    return {
        "training": package.taken_by(request.run) | {"reason": reason},
        "challenger_model": package.challenger(request.challenger_model),
    }


def best_of_tuning(request: Request) -> dict[str, Any]:
    """The tuning's best training job, and what it found in words."""
    best = tuning_jobs.best_of(clients.sagemaker(), request.tuning_job)
    logger.info("taken on", model=request.model, run=request.run, job=best.job, tuned=best.said)
    artefact = pipelines.artefact_of(clients.sagemaker(), best.job)
    training = {"job": best.job, "artefact_uri": artefact, "status": "Completed", "run": request.run}
    return {
        "training": training | {"reason": best.said, "tuned": best.said},
        "challenger_model": request.challenger_model,
    }
