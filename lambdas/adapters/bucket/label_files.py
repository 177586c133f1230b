"""Labels as Model Monitor's users upload them: objects of JSON Lines, dated by when they were collected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdas.adapters.bucket import layout, objects


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
