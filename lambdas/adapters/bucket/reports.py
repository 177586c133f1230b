"""Reports, kept per window: the JSON for programs and the page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdas.adapters.bucket import objects

_PAGE = "text/html; charset=utf-8"


def save_json(s3: Any, bucket: str, key: str, report: Mapping[str, Any]) -> None:
    """Write a report."""
    body = json.dumps(report, indent=1).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def save_page(s3: Any, bucket: str, key: str, page: str) -> None:
    """Write a report's page."""
    s3.put_object(Bucket=bucket, Key=key, Body=page.encode(), ContentType=_PAGE)


def replace_page(s3: Any, bucket: str, key: str, page: str, *, etag: str | None) -> bool:
    """Write a page only if it still is what was read; see `objects.replace`."""
    return objects.replace(s3, bucket, key, page.encode(), etag=etag, content_type=_PAGE)


def load_json(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """Read a report; None where there is none."""
    found = objects.read(s3, bucket, key)
    return json.loads(found[0]) if found else None
