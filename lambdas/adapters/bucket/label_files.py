"""Labels as Model Monitor's users upload them: objects of JSON Lines, dated by when they were collected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdas.adapters.bucket import objects


def label_prefix(model: str, collected: datetime | None = None) -> str:
    """Where a model's labels are put; with a time, what every file of that hour and later sorts after."""
    # '/' sorts before '0', so the hour's own files sort after its name.
    return f"labels/{model}/" + (f"{collected:%Y/%m/%d/%H}" if collected else "")


def list_files(s3: Any, bucket: str, model: str, *, since: datetime | None) -> dict[str, str]:
    """ETag of each file collected since then, by key; those that are not below an hour are among them."""
    listed = objects.list_objects(
        s3, bucket, label_prefix(model), start_after=label_prefix(model, since) if since else ""
    )
    # What a console leaves where a person makes a folder ends with a slash.
    return {key: etag for key, etag in listed.items() if not key.endswith("/")}


def collected_at(key: str, model: str) -> datetime | None:
    """The hour below which a file was put; None where its key says none."""
    hour, slash = key.removeprefix(label_prefix(model))[:13], key.removeprefix(label_prefix(model))[13:14]
    try:
        return datetime.strptime(hour, "%Y/%m/%d/%H").replace(tzinfo=UTC) if slash == "/" else None
    except ValueError:
        return None
