"""The timeline: what Kedge did and why, one small object an entry, named after its content or what it is about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lambdas.adapters.times import to_text


def record(
    s3: Any, bucket: str, *, model: str, kind: str, time: datetime, detail: Mapping[str, Any], name: str | None = None
) -> dict[str, Any]:
    """Write one entry and return it; a rerun writes the same entry to the same key.

    `name` is what the entry is about, where a rerun may find out more: then the later entry takes the place of the earlier.
    """
    entry = {"time": to_text(time), "model": model, "kind": kind, "detail": dict(detail)}
    body = json.dumps(entry, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(name.encode() if name else body).hexdigest()[:12]
    key = f"audit/{model}/{time:%Y/%m/%d}/{time:%H%M%S}-{kind}-{digest}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return entry
