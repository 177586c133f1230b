"""Take a package that another Kedge has approved: the same artefact and baseline, to be decided on here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from lambdas.adapters import clients
from lambdas.adapters.models import load_managed_model
from lambdas.adapters.release import approval_requests, model_registry, taken_packages
from lambdas.adapters.telling import desk_of
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.health.waiting_packages import tell_of
from lambdas.steps.release.settled_release import Bench


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    alert_topic_arn: str
    event_topic_arn: str
    # How the ARNs of the packages begin that may be taken: account and stage stand in it.
    source_packages: str


class Request(BaseModel, frozen=True, extra="forbid"):
    """Which version of a model is taken, and who wants it."""

    model: str
    version: Annotated[str, Field(pattern=r"^[1-9]\d{0,8}$")]
    time: AwareDatetime
    by: str
    reason: str


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Copy what belongs to the package, compare it with its digests, register it as pending, and ask its approver."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config, sagemaker, s3 = load_managed_model(request.model, settings.data_bucket), clients.sagemaker(), clients.s3()
    # SageMaker writes names in lower case into its ARNs.
    arn = f"{settings.source_packages}{config.model.lower()}/{request.version}"
    package = model_registry.describe_package(sagemaker, arn)
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    theirs = taken_packages.belongings(package, config.model)
    artefact = taken_packages.copy_artefact(s3, settings.data_bucket, package, theirs)
    files = taken_packages.copy_files(s3, settings.data_bucket, package, theirs, described)
    note(s3, settings.data_bucket, request, package)
    asked = taken_packages.registration(config, package, described, theirs, settings.data_bucket)
    taken = str(sagemaker.create_model_package(**asked)["ModelPackageArn"])
    logger.info("taken", model=request.model, source=arn, package=taken, files=len(files))
    tell_of(model_registry.describe_package(sagemaker, taken), Bench(config, desk_of(settings), request.time))
    return {"package_arn": taken, "version": taken.rpartition("/")[2], "source": arn, "artefact": artefact}


def note(s3: Any, bucket: str, request: Request, package: model_registry.Package) -> None:
    """Say to the approver where the package is from, before what the gate found there."""
    run = package.properties.get(model_registry.RUN, "")
    kept = approval_requests.load(s3, bucket, request.model, run) or {"run": run}
    said = f"Taken from {package.arn}, which {package.approved_by or 'a person'} approved there. {request.by} wants it here: {request.reason}"
    approval_requests.save(s3, bucket, request.model, run, {**kept, "taken": said})
