"""What clients sent in an hour, read from its captures to be sent again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kedge.staging.requests import ReplayRequest, captured_request
from lambdas.adapters.bucket import objects

# Thousands of requests, and what a function holds with its copies.
READ_BYTES_MAX = 32 * 2**20


def load_requests(s3: Any, bucket: str, keys: Iterable[str], *, content_type: str) -> list[ReplayRequest]:
    """The requests in some capture objects, in the order of keys and lines, of at most `READ_BYTES_MAX`."""
    found, left = list[ReplayRequest](), READ_BYTES_MAX
    for key in sorted(keys):
        if left <= 0:
            break
        content = objects.read_range(s3, bucket, key, 0, left)
        whole = content if len(content) < left else content[: content.rfind(b"\n") + 1]
        left -= len(content)
        read = (captured_request(line, content_type=content_type) for line in whole.split(b"\n") if line)
        found += [request for request in read if request is not None]
    return found
