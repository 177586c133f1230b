"""Labels as Model Monitor's users upload them: objects of JSON Lines, dated by when they were collected."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from lambdas.adapters.bucket import layout, objects

# At most this many files that lie astray are named.
ASTRAY_MAX = 20
_YEAR = re.compile("[0-9]{4}/")


def list_files(s3: Any, bucket: str, model: str, *, since: datetime | None) -> dict[str, str]:
    """ETag of each file collected since then, by key; those that are not below an hour are among them."""
    listed = objects.list_objects(
        s3,
        bucket,
        layout.collected_labels_prefix(model),
        start_after=layout.collected_labels_prefix(model, since) if since else "",
    )
    # What a console leaves where a person makes a folder ends with a slash.
    return {key: etag for key, etag in listed.items() if not key.endswith("/")}


def list_astray(s3: Any, bucket: str, model: str) -> list[str]:
    """Some files that lie outside of the years, where no listing by time finds them: `2016-01-31.jsonl` sorts before `2016/`."""
    root = layout.collected_labels_prefix(model)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=root, Delimiter="/")
    folders = [found["Prefix"] for found in listed.get("CommonPrefixes", [])]
    found = [item["Key"] for item in listed.get("Contents", [])]
    for folder in [each for each in folders if not _YEAR.fullmatch(each.removeprefix(root))][:ASTRAY_MAX]:
        below = s3.list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=ASTRAY_MAX)
        found += [item["Key"] for item in below.get("Contents", [])]
    return [key for key in found if not key.endswith("/")][:ASTRAY_MAX]


def collected_at(key: str, model: str) -> datetime | None:
    """The hour below which a file was put; None where its key says none."""
    hour, slash = (
        key.removeprefix(layout.collected_labels_prefix(model))[:13],
        key.removeprefix(layout.collected_labels_prefix(model))[13:14],
    )
    try:
        return datetime.strptime(hour, "%Y/%m/%d/%H").replace(tzinfo=UTC) if slash == "/" else None
    except ValueError:
        return None
