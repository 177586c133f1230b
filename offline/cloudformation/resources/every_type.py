"""One file per service: how each CloudFormation resource type is made, through the service's own API."""

from __future__ import annotations

from offline.cloudformation.resources import (
    athena,
    cloudformation,
    cloudwatch,
    dynamodb,
    events,
    firehose,
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
from offline.cloudformation.resources.model import ResourceType

_SERVICES = (
    athena,
    cloudformation,
    cloudwatch,
    dynamodb,
    events,
    firehose,
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
