"""What an approver is told of a challenger: kept beside the run's other files before its package is registered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdas.adapters.bucket import layout, objects


def save(s3: Any, bucket: str, model: str, run: str, detail: Mapping[str, Any]) -> None:
    """Keep it; a rerun writes the same."""
    body = json.dumps(detail, sort_keys=True).encode()
    s3.put_object(Bucket=bucket, Key=_key(model, run), Body=body, ContentType="application/json")


def load(s3: Any, bucket: str, model: str, run: str) -> dict[str, Any] | None:
    """Read it; None where the run kept none."""
    found = objects.read(s3, bucket, _key(model, run))
    return json.loads(found[0]) if found else None


def told_as(package_arn: str) -> str:
    """Name under which it is remembered that people were asked about this package."""
    return f"package#{package_arn}"


def _key(model: str, run: str) -> str:
    return layout.retraining_key(model, run, layout.APPROVAL_REQUEST)
