"""One file per service: how each CloudFormation resource type is made, through the service's own API."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from offline import budgets
from offline.cloudformation import custom_resources
from offline.cloudformation.resource_type import ResourceType
from offline.cloudformation.resources import (
    athena,
    cloudformation,
    cloudwatch,
    dynamodb,
    events,
    firehose,
    glue,
    iam,
    kms,
    lambda_,
    logs,
    s3,
    sagemaker,
    scheduler,
    sns,
    sqs,
    ssm,
    step_functions,
)

_SERVICES = (
    athena,
    budgets,
    cloudformation,
    cloudwatch,
    custom_resources,
    dynamodb,
    events,
    firehose,
    glue,
    iam,
    kms,
    lambda_,
    logs,
    s3,
    sagemaker,
    scheduler,
    sns,
    sqs,
    ssm,
    step_functions,
)

RESOURCE_TYPES: dict[str, ResourceType] = {kind.name: kind for service in _SERVICES for kind in service.TYPES}


@cache
def resource_type(name: str) -> ResourceType | None:
    """Return the type of that name; one that begins with `Custom::` is a custom resource, whatever its name."""
    if name.startswith("Custom::"):
        return replace(RESOURCE_TYPES["AWS::CloudFormation::CustomResource"], name=name)
    return RESOURCE_TYPES.get(name)
