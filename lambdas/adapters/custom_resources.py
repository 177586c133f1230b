"""CloudFormation's custom resources: what it asks of a function, and the one answer that it waits for.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Literal
from urllib.request import Request as Put
from urllib.request import urlopen

from botocore.exceptions import ClientError
from pydantic import BaseModel, Field

from kedge.errors import AssetAbsentError
from lambdas.adapters.bucket import objects

# The whole answer may have 4,096 bytes; a character of UTF-8 takes up to four, and JSON writes six for one of control.
REASON_CHARACTERS = 500
SECONDS_MAX, ATTEMPTS = 10, 3


class ResourceRequest(BaseModel, frozen=True):
    """The part of CloudFormation's request that every answer repeats."""

    request_type: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    response_url: str = Field(alias="ResponseURL", repr=False)
    stack_id: str = Field(alias="StackId")
    request_id: str = Field(alias="RequestId")
    logical_id: str = Field(alias="LogicalResourceId")


def load_asset(s3: Any, bucket: str, key: str) -> Any:
    """What a JSON file among a deployment's assets says.

    Raises
    ------
    AssetAbsentError
    """
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        # To whoever may not list a bucket S3 says that an absent object is forbidden.
        code = error.response["Error"]["Code"]
        if objects.is_absent(error) or code == "AccessDenied":
            raise AssetAbsentError(bucket=bucket, key=key, code=code) from error
        raise


def answer(asked: ResourceRequest, resource: str, *, failed: str | None = None) -> None:
    """Tell CloudFormation that the resource is as it should be, or why it is not; the address is signed for one PUT of it.

    Raises
    ------
    OSError
        The address cannot be reached, or refuses the answer.
    """
    said = {
        "Status": "SUCCESS" if failed is None else "FAILED",
        "Reason": (failed or "")[:REASON_CHARACTERS],
        "PhysicalResourceId": resource,
        "StackId": asked.stack_id,
        "RequestId": asked.request_id,
        "LogicalResourceId": asked.logical_id,
    }
    # The address was signed for no content type, and urllib would name one.
    put = Put(asked.response_url, json.dumps(said, ensure_ascii=False).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310  # CloudFormation's own
    for _ in range(ATTEMPTS - 1):
        with suppress(OSError):
            _send(put)
            return
    _send(put)


def _send(put: Put) -> None:
    with urlopen(put, timeout=SECONDS_MAX):  # noqa: S310  # as above
        pass
