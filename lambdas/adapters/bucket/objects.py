"""S3 as Kedge uses it: listings with ETags, reads that may find nothing, and writes that must not lose a race."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from kedge.errors import EncodingError, ObjectsNotDeletedError

T = TypeVar("T")

_ABSENT = ("NoSuchKey", "404", "NotFound")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
# As many as S3 deletes in one call.
_DELETED_AT_ONCE = 1000
# Seconds before each attempt: S3 asks whoever it tells to slow down to come back later, and later still.
_DELETE_PAUSES = (0, 1, 4)
# The metadata by which who wrote an object knows it again.
OWNER = "kedge-owner"


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


def decoded(s3: Any, bucket: str, key: str, decode: Callable[[bytes], T]) -> tuple[T, str] | None:
    """What an object's content means, and its ETag; None where there is none. An `EncodingError` names the object."""
    found = read(s3, bucket, key)
    if found is None:
        return None
    try:
        return decode(found[0]), found[1]
    except EncodingError as error:
        raise error.at(f"s3://{bucket}/{key}") from error


def read_range(s3: Any, bucket: str, key: str, start: int, end: int) -> bytes:
    """Bytes of an object from `start` up to `end`; none where the object is gone."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")
    except ClientError as error:
        if is_absent(error):
            return b""
        raise
    content: bytes = answer["Body"].read()
    return content


def is_absent(error: ClientError) -> bool:
    """Whether S3 says that there is no such object."""
    return error.response["Error"]["Code"] in _ABSENT


def replace(
    s3: Any, bucket: str, key: str, body: bytes, *, etag: str | None, content_type: str = "binary/octet-stream"
) -> bool:
    """Write an object only if it still is what was read (None: still absent); False where the caller must read it again.

    S3 says no in three ways: 412 (another write was faster), 409 (another write is under way) and 404 (the object to match is
    gone). It says so also to our own write, where the answer to its first attempt was lost and botocore tried again: each write
    carries an owner, by which it knows its object.
    """
    condition = {"IfMatch": etag} if etag is not None else {"IfNoneMatch": "*"}
    owner = uuid.uuid4().hex
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type, Metadata={OWNER: owner}, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] in (*_REFUSED, *_ABSENT):
            return owner_of(s3, bucket, key) == owner
        raise
    return True


def delete_unchanged(s3: Any, bucket: str, etags: Mapping[str, str]) -> list[str]:
    """Delete the objects that still have these ETags; return the keys of those that do not, and that stay.

    Each deletion is conditional, so what is written meanwhile is never lost. One that is gone counts as deleted. Of one call S3
    may fail with some objects alone (SlowDown, InternalError), which botocore does not try again.

    Raises
    ------
    ObjectsNotDeletedError
        S3 did not delete some for another reason.
    """
    kept, left, failed = list[str](), sorted(etags), dict[str, str]()
    for seconds in _DELETE_PAUSES:
        time.sleep(seconds)
        failed = {}
        for start in range(0, len(left), _DELETED_AT_ONCE):
            asked = [{"Key": key, "ETag": etags[key]} for key in left[start : start + _DELETED_AT_ONCE]]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": asked, "Quiet": True})
            failed |= {found["Key"]: found["Code"] for found in answer.get("Errors", [])}
        kept += [key for key, code in failed.items() if code in _REFUSED]
        left = [key for key, code in failed.items() if code not in (*_REFUSED, *_ABSENT)]
        if not left:
            return kept
    raise ObjectsNotDeletedError(bucket=bucket, codes={key: failed[key] for key in left})


def owner_of(s3: Any, bucket: str, key: str) -> str | None:
    """Who wrote an object, where it says so; None where it does not, or is not there."""
    try:
        metadata = s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise
    owner: str | None = metadata.get(OWNER)
    return owner
