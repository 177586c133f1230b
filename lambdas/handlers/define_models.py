"""Bring the definitions in the data bucket to what a deployment says, as a custom resource of CloudFormation's."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from lambdas.adapters import clients, custom_resources, models
from lambdas.adapters.custom_resources import ResourceRequest
from lambdas.adapters.models import Brought
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment

# CloudFormation knows the resource by it: an answer that names another is a replacement, and the one before is deleted.
RESOURCE = "definitions-of-deployed-models"
# A resource goes where it was renamed, moved, or not made to its end: another may have taken its place. The definitions stay with the bucket.
NOTHING = Brought((), (), {})


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Properties(BaseModel, frozen=True):
    """Where the definitions of a deployment lie: one JSON with each model's YAML by its name."""

    asset_bucket: str = Field(alias="AssetBucket")
    asset_key: str = Field(alias="AssetKey")


class Request(ResourceRequest, frozen=True):
    """What CloudFormation asks for, other than a deletion; a rollback is an update to the properties before."""

    properties: Properties = Field(alias="ResourceProperties")


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Bring the bucket to it, and answer CloudFormation, whatever comes of it: without an answer it would wait."""
    asked = ResourceRequest.model_validate(event)
    try:
        brought = NOTHING if asked.request_type == "Delete" else bring(Request.model_validate(event))
    except Exception as error:
        custom_resources.answer(asked, RESOURCE, failed=f"{type(error).__name__}: {error}")
        raise
    custom_resources.answer(asked, RESOURCE)
    for model, problem in brought.refused.items():
        logger.error("a definition cannot be followed", model=model, problem=problem)
    logger.info("defined", asked=asked.request_type, written=brought.written, deleted=brought.deleted)
    return {"written": len(brought.written), "deleted": len(brought.deleted), "refused": len(brought.refused)}


def bring(request: Request) -> Brought:
    """Write and delete what differs."""
    s3, asset = clients.s3(), request.properties
    texts = custom_resources.load_asset(s3, asset.asset_bucket, asset.asset_key)
    # arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID: a stack that is made anew has another id, and one of another region this name.
    _, _, _, region, account, stack = request.stack_id.split(":")
    owner = f"{stack.split('/')[1]} ({region}, {account})"
    return models.bring(s3, Settings.from_environment().data_bucket, texts, owner=owner)
