"""What an endpoint captured, or a log says: objects by day, and their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from kedge.capture.lines import Block, blocks
from kedge.capture.log.objects import as_lines
from kedge.capture.source import day_folder, day_of_folder, source_of
from kedge.config.capture_place import CapturePlace
from kedge.config.model import ModelConfig
from kedge.errors import CapturesDeniedError
from lambdas.adapters.bucket import layout, objects, row_objects
from lambdas.adapters.bucket.row_objects import Stretches

# A look at captures reads no more than this.
_SAMPLED_OBJECTS, _SAMPLED_BYTES, _SAMPLED_LINES = 3, 4 * 2**20, 200


# Whole hours are read in blocks of this size.
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
    """Where one package's records of one day lie, by production variant; of a log, those that arrived on that day."""
    return {variant: place.of(day_folder(root, day)) for variant, root in source_of(config).roots(config).items()}


class Page(NamedTuple):
    """A page of a listing: its objects of records, by key, the last key of all, and whether more follow."""

    found: dict[str, Captured]
    last: str
    has_more: bool


def list_pages(
    s3: Any, bucket: str, prefix: str, *, extension: str, after: str = "", before: str = ""
) -> Iterator[Page]:
    """The objects of records below a prefix, in the order of their keys, of keys between two others where these are given."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=after):
        items = page.get("Contents", [])
        inside = [item for item in items if not before or item["Key"] < before]
        found = {
            item["Key"]: Captured(item["ETag"], item["Size"]) for item in inside if _holds_records(item, extension)
        }
        has_more = page["IsTruncated"] and len(inside) == len(items)
        yield Page(found, items[-1]["Key"] if items else after, has_more)
        if not has_more:
            return


def list_days(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[date, str]]:
    """Each folder of a day below a prefix, at any depth, that holds something."""
    for folder in objects.list_folders(s3, bucket, prefix):
        if (day := day_of_folder(folder)) is not None:
            yield day, folder
        else:
            yield from list_days(s3, bucket, folder)


def keys_below(s3: Any, bucket: str, prefixes: Iterable[str], *, extension: str) -> Iterator[str]:
    """Keys of the objects of records below some prefixes."""
    for prefix in prefixes:
        for page in list_pages(s3, bucket, prefix, extension=extension):
            yield from page.found


def list_captured(
    s3: Any, bucket: str, prefix: str, *, written_since: datetime | None = None, extension: str = ".jsonl"
) -> dict[str, Captured]:
    """Each object of records below a prefix, by key; or those alone that were written since a moment."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    items = (item for page in pages for item in page.get("Contents", []))
    return {
        item["Key"]: Captured(item["ETag"], item["Size"])
        for item in items
        if _holds_records(item, extension) and (written_since is None or item["LastModified"] >= written_since)
    }


def _holds_records(item: Any, extension: str) -> bool:
    """Whether an object is one of records; a console makes empty ones for folders."""
    return bool(item["Key"].endswith(extension) and not item["Key"].endswith("/"))


def captured_packages(s3: Any, bucket: str, model: str) -> list[str]:
    """Versions of all packages that have ever been captured."""
    return [prefix.split("/")[-2] for prefix in objects.list_folders(s3, bucket, layout.captures_prefix(model))]


def open_lines(s3: Any, bucket: str, keys: Iterable[str]) -> Iterator[tuple[str, Stretches]]:
    """The objects' lines, zipped or Parquet too, a stretch at a time; an object that is gone is left out."""
    for key, found in row_objects.open_ahead(s3, bucket, keys):
        if found is not None:
            reopened = partial(row_objects.open_object, s3, bucket, key)
            yield key, replace(found, content=as_lines(found.content, reopened))


def open_blocks(s3: Any, bucket: str, keys: Iterable[str], size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The objects' lines in bounded blocks; an object that vanished meanwhile is left out, and the next run sees that it did."""
    return blocks(((key, found.content) for key, found in open_lines(s3, bucket, keys)), size)


def sample_after(s3: Any, bucket: str, prefix: str, start: datetime, *, extension: str = ".jsonl") -> list[bytes]:
    """Some whole lines of a day's first few objects of the hour of `start` or later: one listing and few, bounded reads."""
    listed = s3.list_objects_v2(
        Bucket=bucket, Prefix=prefix, StartAfter=_after(prefix, start), MaxKeys=_SAMPLED_OBJECTS
    )
    lines: list[bytes] = []
    for item in listed.get("Contents", []):
        if not item["Size"] or not _holds_records(item, extension):
            continue
        block = next(open_blocks(s3, bucket, [item["Key"]], _SAMPLED_BYTES), Block())
        # What cannot be opened is a record that cannot be read.
        aside = [line.excerpt or line.reason.encode() for line in block.long]
        whole = (line for piece in block.pieces for line in piece.content.split(b"\n") if line.strip())
        lines += [*aside, *islice(whole, _SAMPLED_LINES)]
    return lines


def count_failed(s3: Any, bucket: str, now: datetime) -> int:
    """Objects with what Firehose could not deliver, of today and yesterday, at most a thousand a day."""
    days = (now.date(), now.date() - timedelta(days=1))
    return sum(
        s3.list_objects_v2(Bucket=bucket, Prefix=layout.failed_logs_prefix(day)).get("KeyCount", 0) for day in days
    )


def any_after(s3: Any, bucket: str, prefix: str, start: datetime) -> bool:
    """Whether a day has a capture object of the hour of `start` or later; one listing of one key."""
    answer = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=_after(prefix, start), MaxKeys=1)
    return bool(answer.get("Contents"))


def _after(prefix: str, start: datetime) -> str:
    return f"{prefix}{start:%H}/" if f"{start:%Y/%m/%d}/" in prefix else ""
