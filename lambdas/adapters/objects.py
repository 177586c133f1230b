"""S3 as Kedge uses it: listings with ETags, reads that may find nothing, and writes that must not lose a race."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

_ABSENT = ("NoSuchKey", "404", "NotFound")
_LOST_RACE = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


def list_objects(s3: Any, bucket: str, prefix: str, *, start_after: str = "") -> dict[str, str]:
    """ETag of every object below a prefix, by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start_after)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}


def list_folders(s3: Any, bucket: str, prefix: str) -> list[str]:
    """Prefixes one folder below a prefix, each with its slash."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]


def read(s3: Any, bucket: str, key: str) -> tuple[bytes, str] | None:
    """An object's content and ETag; None where there is none."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return answer["Body"].read(), answer["ETag"]


def is_absent(error: ClientError) -> bool:
    """Whether S3 says that there is no such object."""
    return error.response["Error"]["Code"] in _ABSENT


def replace(s3: Any, bucket: str, key: str, body: bytes, *, etag: str | None) -> bool:
    """Write an object only if it still is what was read (None: still absent); False where another was faster."""
    condition = {"IfMatch": etag} if etag is not None else {"IfNoneMatch": "*"}
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, **condition)
    except ClientError as error:
        # A conditional write answers 404 where the object to match has been deleted meanwhile.
        if error.response["Error"]["Code"] in (*_LOST_RACE, *_ABSENT):
            return False
        raise
    return True
