"""The timeline read back: the entries that `audit` wrote, for people and their commands."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lambdas.adapters import objects

# Each entry is an object of its own: their reading is all waiting.
_READERS = 16


def load_timeline(s3: Any, bucket: str, model: str, *, last: int | None = None) -> list[dict[str, Any]]:
    """The model's entries in time, or the newest `last` of them."""
    keys = sorted(objects.list_objects(s3, bucket, f"audit/{model}/"))
    wanted = keys if last is None else keys[max(len(keys) - last, 0) :]
    with ThreadPoolExecutor(_READERS) as readers:
        found = [read for read in readers.map(lambda key: objects.read(s3, bucket, key), wanted) if read is not None]
    return sorted((json.loads(body) for body, _ in found), key=lambda entry: str(entry["time"]))


def models_with_timeline(s3: Any, bucket: str) -> list[str]:
    """The models that something has happened to."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="audit/", Delimiter="/")
    return sorted(p["Prefix"].split("/")[1] for page in pages for p in page.get("CommonPrefixes", []))
