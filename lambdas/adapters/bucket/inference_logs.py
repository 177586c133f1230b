"""What the endpoint captured: objects by day, and their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from kedge.capture.lines import Block, blocks
from kedge.config.capture_place import CapturePlace
from kedge.config.model import ModelConfig
from kedge.errors import CapturesDeniedError
from lambdas.adapters.bucket import layout, objects, row_objects

# A look at captures reads no more than this.
_SAMPLED_OBJECTS, _SAMPLED_BYTES, _SAMPLED_LINES = 3, 4 * 2**20, 200


# Whoever reads whole hours reads so much at a time.
BLOCK_BYTES = 32 * 2**20


class Captured(NamedTuple):
    """A capture object as a listing shows it."""

    etag: str
    size: int


# What S3 says where a bucket is another's, or its name leads nowhere.
_DENIED = ("AccessDenied", "403", "AllAccessDisabled", "NoSuchBucket", "KMS.DisabledException", "KMS.NotFoundException")


@contextmanager
def readable(place: CapturePlace) -> Iterator[None]:
    """Say what is to be done where a bucket that is not Kedge's own refuses."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if place.foreign and code in _DENIED:
            raise CapturesDeniedError(uri=place.uri, said=code) from error
        raise


def day_prefixes(place: CapturePlace, config: ModelConfig, day: date) -> dict[str, str]:
    """Where one package's requests of one day are captured, by production variant."""
    endpoint = config.endpoint
    return {variant: place.of_day(day, endpoint=endpoint.name, variant=variant) for variant in endpoint.served_variants}


def list_captured(s3: Any, bucket: str, prefix: str, *, written_since: datetime | None = None) -> dict[str, Captured]:
    """Each capture object of a day, by key; or those alone that were written since a moment."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    items = (item for page in pages for item in page.get("Contents", []))
    return {
        item["Key"]: Captured(item["ETag"], item["Size"])
        for item in items
        if item["Key"].endswith(".jsonl") and (written_since is None or item["LastModified"] >= written_since)
    }


def captured_packages(s3: Any, bucket: str, model: str) -> list[str]:
    """Versions of all packages that have ever been captured."""
    return [prefix.split("/")[-2] for prefix in objects.list_folders(s3, bucket, layout.captures_prefix(model))]


def open_blocks(s3: Any, bucket: str, keys: Iterable[str], size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The objects' lines in bounded blocks; an object that vanished meanwhile is left out, and the next run sees that it did."""
    opened = ((key, row_objects.open_stretches(s3, bucket, key)) for key in keys)
    return blocks(((key, found.content) for key, found in opened if found is not None), size)


def sample_after(s3: Any, bucket: str, prefix: str, start: datetime) -> list[bytes]:
    """Some whole lines of a day's first few objects of the hour of `start` or later: one listing and few, bounded reads."""
    listed = s3.list_objects_v2(
        Bucket=bucket, Prefix=prefix, StartAfter=_after(prefix, start), MaxKeys=_SAMPLED_OBJECTS
    )
    lines: list[bytes] = []
    for item in listed.get("Contents", []):
        if not item["Size"] or not item["Key"].endswith(".jsonl"):
            continue
        body = s3.get_object(Bucket=bucket, Key=item["Key"], Range=f"bytes=0-{_SAMPLED_BYTES - 1}")["Body"].read()
        # Of a longer object the last line may be cut off.
        whole = body if item["Size"] <= _SAMPLED_BYTES else body.rpartition(b"\n")[0]
        lines += [line for line in whole.split(b"\n") if line.strip()][:_SAMPLED_LINES]
    return lines


def any_after(s3: Any, bucket: str, prefix: str, start: datetime) -> bool:
    """Whether a day has a capture object of the hour of `start` or later; one listing of one key."""
    answer = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=_after(prefix, start), MaxKeys=1)
    return bool(answer.get("Contents"))


def _after(prefix: str, start: datetime) -> str:
    return f"{prefix}{start:%H}/" if f"{start:%Y/%m/%d}/" in prefix else ""
