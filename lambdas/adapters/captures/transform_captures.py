"""Where transform jobs capture to: the manifests of a day, and the files that they name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from kedge.capture.transform_jobs import Manifest, read_manifest
from kedge.capture.transform_records import Side, split_lines
from kedge.config.capture_place import CapturePlace, split_uri
from kedge.errors import UnreadableTransformError
from lambdas.adapters.bucket import objects, row_objects
from lambdas.adapters.captures import inference_logs


class StoredFile(NamedTuple):
    """A file of a job as S3 shows it now."""

    uri: str
    etag: str
    size: int
    modified: datetime


def list_manifests(s3: Any, place: CapturePlace, folder: str) -> list[Manifest]:
    """The manifests in the folder of a day or an hour; one that is no manifest names no file."""
    found = list[Manifest]()
    with inference_logs.readable(place):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.of(folder))
        for item in (item for page in pages for item in page.get("Contents", []) if item["Size"]):
            if (content := objects.read(s3, place.bucket, item["Key"])) is None:
                continue
            try:
                uri, names = read_manifest(content[0])
            except UnreadableTransformError:
                continue
            found.append(Manifest(item["Key"], item["ETag"], item["LastModified"], uri, names))
    return sorted(found, key=lambda manifest: (manifest.modified, manifest.key))


def find_file(s3: Any, uri: str) -> StoredFile | None:
    """Look at a file; None where it is gone."""
    place = _place_of(uri)
    with inference_logs.readable(place):
        found = next(iter(_listed(s3, place)), None)
    return StoredFile(uri, found["ETag"], found["Size"], found["LastModified"]) if found else None


def side_of(s3: Any, file: StoredFile) -> Side:
    """A file as lines that can be read more than once."""
    place = _place_of(file.uri)

    def lines() -> Iterator[bytes]:
        with inference_logs.readable(place):
            opened = row_objects.open_stretches(s3, place.bucket, place.prefix)
        if opened is None or opened.etag != file.etag:
            raise UnreadableTransformError(reason="one of its files was replaced while it was read")
        return split_lines(opened.content)

    return Side(file.size, lines)


def _listed(s3: Any, place: CapturePlace) -> list[dict[str, Any]]:
    # Of keys that begin alike the shortest stands first.
    listed = s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix, MaxKeys=1).get("Contents", [])
    return [item for item in listed if item["Key"] == place.prefix]


def _place_of(uri: str) -> CapturePlace:
    bucket, key = split_uri(uri)
    return CapturePlace(bucket, key, foreign=True)
