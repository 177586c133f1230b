"""How SageMaker's jobs and containers reach S3: as the execution role that they were given."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from offline.iam.guard import Guard
from offline.region import Region


class DownloadError(Exception):
    """Something that SageMaker should read is not there, or not for this role to read."""


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an s3:// address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class Storage:
    """S3 as one role sees it."""

    def __init__(self, region: Region, guard: Guard, role_arn: str) -> None:
        self.region, self.guard, self.role_arn = region, guard, role_arn

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Give an S3 client whose calls are the role's."""
        with self.region.as_role(self.role_arn):
            yield self.region.plain_client("s3")

    def keys(self, uri: str) -> list[str]:
        """List what an S3Prefix names: every object whose key begins with it, folders aside."""
        bucket, prefix = split_uri(uri)
        with self._told(uri), self.client() as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [entry["Key"] for page in pages for entry in page.get("Contents", []) if entry["Key"][-1] != "/"]

    def read(self, uri: str) -> bytes:
        """Read one object."""
        bucket, key = split_uri(uri)
        with self._told(uri), self.client() as s3:
            return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def write(self, uri: str, body: bytes, kms_key_id: str | None = None) -> None:
        """Write one object, encrypted with a key if one is named."""
        bucket, key = split_uri(uri)
        extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        with self._told(uri), self.client() as s3:
            if kms_key_id:
                key_arn = self.region.backend("kms").describe_key(kms_key_id).arn
                self.guard.require(self.role_arn, "kms:Encrypt", key_arn)
            s3.put_object(Bucket=bucket, Key=key, Body=body, **extra)

    @contextmanager
    def _told(self, uri: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
            raise DownloadError(f"{uri}: {code}({status}): {error.response['Error']['Message']}") from error


def exists(region: Region, uri: str) -> bool:
    """Tell whether an object, or anything below a prefix, is there."""
    bucket, key = split_uri(uri)
    backend = region.backend("s3")
    if bucket not in backend.buckets:
        return False
    if backend.get_object(bucket, key) is not None:
        return True
    answer = region.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return bool(answer.get("KeyCount"))


def unpack(archive: bytes, directory: Path) -> None:
    """Extract a .tar.gz; members that would land outside, or that are devices, are refused."""
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as tar:
        tar.extractall(directory, filter="data")


def pack(directory: Path) -> bytes:
    """Make a .tar.gz of a directory's content that depends on names and bytes alone."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path in sorted(directory.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(directory)), recursive=False, filter=_anonymous)
    return packed.getvalue()


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    return member
