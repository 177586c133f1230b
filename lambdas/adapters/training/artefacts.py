"""Model artefacts that are pinned: copied to where no job can write, and known by the SHA-256 that S3 computed of the copy."""

from __future__ import annotations

from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from kedge.errors import ChangedSinceGateError, UnreadableArtefactError
from lambdas.adapters.bucket import objects

# S3 copies by itself: nothing of the artefact passes through the function. Above this size it copies parts at the same time;
# the digest is then that of the parts' digests.
COPY = TransferConfig(multipart_threshold=1 << 30, multipart_chunksize=256 << 20)

# S3 hides a missing object from who may not list; a look at one (HeadObject) answers with the bare number.
_OUT_OF_REACH = ("AccessDenied", "403", "404", "NoSuchKey", "NoSuchBucket")


def pin(s3: Any, bucket: str, *, source_uri: str, key: str, copying: TransferConfig = COPY) -> str:
    """Copy a job's artefact to its place and return its digest; a copy that is there already stays the one that counts."""
    kept = digest(s3, bucket, key)
    if kept is None:
        source_bucket, source_key = _split(source_uri)
        source = {"Bucket": source_bucket, "Key": source_key}
        try:
            s3.copy(source, bucket, key, {"ChecksumAlgorithm": "SHA256"}, Config=copying)
        except ClientError as error:
            if source_bucket == bucket or error.response["Error"]["Code"] not in _OUT_OF_REACH:
                raise
            raise UnreadableArtefactError(uri=source_uri, reason=error.response["Error"]["Code"]) from error
        kept = digest(s3, bucket, key)
    if not kept:
        raise ChangedSinceGateError(what="artefact", place=f"s3://{bucket}/{key}", expected="a digest", found=kept)
    return kept


def require_unchanged(s3: Any, uri: str, sha256: str | None) -> None:
    """Refuse an artefact that is not the pinned one; S3 keeps the digest of each object and lets nobody claim another."""
    found = digest(s3, *_split(uri))
    if not sha256 or found != sha256:
        raise ChangedSinceGateError(what="artefact", place=uri, expected=sha256, found=found)


def digest(s3: Any, bucket: str, key: str) -> str | None:
    """The SHA-256 that S3 computed of an object; empty where it was written without one, None where there is no object."""
    try:
        answer = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if objects.is_absent(error):
            return None
        raise
    found: str = answer.get("ChecksumSHA256", "")
    return found


def size(s3: Any, bucket: str, key: str) -> int:
    """Bytes of a pinned artefact."""
    return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
