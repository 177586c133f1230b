"""Approve a package in place of a person: where the model's YAML says so, and only what the gate passed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from kedge.errors import ApprovalRefusedError
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout
from lambdas.adapters.models import load_managed_model
from lambdas.adapters.release import model_registry
from lambdas.adapters.training import training_data
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Request(BaseModel, frozen=True):
    """A package that the retrain machine has just registered."""

    model: str
    run: str
    package_arn: str


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Read the YAML, the gate's own file and the package once more, then approve."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    sagemaker, config = clients.sagemaker(), load_managed_model(request.model, settings.data_bucket)
    package = model_registry.describe_package(sagemaker, request.package_arn)
    key = layout.retraining_key(request.model, request.run, layout.GATE)
    gate = training_data.load_json(clients.s3(), settings.data_bucket, key)
    facts = {
        "its model's YAML does not say approval: automatic": config.approval.mode == "automatic",
        "it is of another group": package.group == config.package_group,
        "it is of another run": package.properties.get(model_registry.RUN) == request.run,
        f"its gate says {gate.get('verdict')}": gate.get("verdict") == "PASS",
        # A second attempt finds what the first one did; a person's word is never overruled.
        f"it is {package.approval_status} already": package.approval_status in ("PendingManualApproval", "Approved"),
    }
    if refused := [why for why, holds in facts.items() if not holds]:
        raise ApprovalRefusedError(package_arn=package.arn, reasons=refused)
    reasons = [f"approval is automatic in the model's YAML, and the gate passed it: {gate['reasons'][0]}"]
    if package.approval_status != "Approved":
        model_registry.approve(
            sagemaker, package.arn, f"Kedge, automatically: retraining {request.run} passed the gate"
        )
    logger.info("approved", model=request.model, run=request.run, package=package.arn)
    return {"package_version": package.version, "reasons": reasons}
