"""One boto3 client a service and execution environment, made when it is first needed."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore import __version__
from botocore.config import Config

# botocore would put its own together from forty parts, twice a call: a tenth of what a call costs.
_AGENT = f"kedge Botocore/{__version__}"
# Standard retries with a longer arm: a fan-out over a thousand models meets throttling as a matter of course.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 6}, user_agent=_AGENT)


# A topic takes a message again when botocore asks again for an answer that was lost: whoever tells decides what is sent twice.
_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, user_agent=_AGENT)


@cache
def _client(service: str, config: Config = _CONFIG) -> Any:
    return boto3.client(service, config=config)


def s3() -> Any:
    """S3."""
    return _client("s3")


def dynamodb() -> Any:
    """DynamoDB."""
    return _client("dynamodb")


def sqs() -> Any:
    """SQS."""
    return _client("sqs")


def sns() -> Any:
    """SNS."""
    return _client("sns", _ONCE)


def cloudwatch() -> Any:
    """CloudWatch."""
    return _client("cloudwatch")


def sagemaker() -> Any:
    """SageMaker."""
    return _client("sagemaker")


def stepfunctions() -> Any:
    """Step Functions."""
    return _client("stepfunctions")


def glue() -> Any:
    """Glue."""
    return _client("glue")


def cloudtrail() -> Any:
    """CloudTrail."""
    return _client("cloudtrail")


def secretsmanager() -> Any:
    """Secrets Manager."""
    return _client("secretsmanager")
