"""One boto3 client a service and execution environment, made when it is first needed."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

# By itself botocore puts its name together from some twenty parts, twice a request: an eighth of what a GET of S3 takes.
_AGENT = "Kedge"
# Standard retries with a longer arm: a fan-out over a thousand models meets throttling as a matter of course.
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 6}, user_agent=_AGENT)
# A topic takes a message again when botocore asks again for an answer that was lost: whoever tells decides what is sent twice.
_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, user_agent=_AGENT)


@cache
def _client(service: str, config: Config = _CONFIG) -> Any:
    if boto3.DEFAULT_SESSION is None:
        session = botocore.session.get_session()
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_timestamp)
        boto3.setup_default_session(botocore_session=session)
    return boto3.client(service, config=config)


def read_timestamp(value: Any) -> datetime:
    """A moment as a service writes it.

    S3 writes one beside each key of a listing, and botocore's own reading of a thousand of them takes four times as long as that of
    all the rest. What is in neither of S3's two ways is read as ever.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            if value.endswith("Z"):
                return datetime.fromisoformat(value)
            if value.endswith(" GMT"):
                return parsedate_to_datetime(value)
    moment: datetime = parse_timestamp(value)
    return moment


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
