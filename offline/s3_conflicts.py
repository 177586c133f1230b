"""Conditional writes that S3 refuses without a race: 409 while another write is under way, 412 to one's own second attempt.

The real service answers PutObject with If-Match or If-None-Match with 409 ConditionalRequestConflict while another request
for the key is in work; and where the answer to a write is lost, the client's own retry meets what it wrote and gets 412.
Imitated: both, now and then, drawn from the account's seed, the key and how often it was written.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.s3.exceptions import PreconditionFailed, S3ClientError
from moto.s3.responses import S3Response

from offline.region import Region

CONFLICT_FRACTION, LOST_FRACTION = 0.02, 0.01
CONDITIONS = ("If-Match", "If-None-Match")


class ConditionalRequestConflictError(S3ClientError):
    """Another request for the same key is in work."""

    code = "ConditionalRequestConflict"

    def __init__(self) -> None:
        super().__init__("The conditional request cannot succeed due to a conflicting operation against this resource.")


def install(region: Region) -> None:
    """Have some conditional writes be refused."""
    put, tried = S3Response.put_object, Counter[str]()

    def put_object(response: Any) -> Any:
        if not any(name in response.headers for name in CONDITIONS):
            return put(response)
        key = f"{response.bucket_name}/{response.parse_key_name()}"
        tried[key] += 1
        draw = region.seeded("conditional write", key, str(tried[key])).random()
        if draw < CONFLICT_FRACTION:
            raise ConditionalRequestConflictError
        answer = put(response)
        if draw < CONFLICT_FRACTION + LOST_FRACTION:
            raise PreconditionFailed("If-Match")
        return answer

    region.patch(S3Response, "put_object", put_object)
