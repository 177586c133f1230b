"""Conditional writes that S3 refuses without a race: 409 while another write is under way, 412 to one's own second attempt.

The real service answers PutObject with If-Match or If-None-Match with 409 ConditionalRequestConflict while another request
for the key is in work; and where the answer to a write is lost, the client's own retry meets what it wrote and gets 412.
Imitated: both, now and then, drawn from the account's seed, the key and how often it was written.

DeleteObjects deletes an object that is named with an ETag only if it has that one; the others stand among the errors of an answer
that says 200. Imitated whole: moto reads no ETag there.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import xmltodict
from moto.core.responses import ActionResult
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
    region.patch(S3Response, "_bucket_response_delete_keys", delete_keys)


_delete_any = S3Response._bucket_response_delete_keys


def delete_keys(response: Any, bucket_name: str, authenticated: bool = True) -> Any:
    """Delete of several objects those that are what their ETag says, in the place of moto's own method."""
    asked = xmltodict.parse(response.body, strip_whitespace=False, force_list=("Object",))["Delete"]
    if not any("ETag" in each for each in asked.get("Object", [])):
        return _delete_any(response, bucket_name, authenticated)
    refused, deleted = list[dict[str, Any]](), list[dict[str, Any]]()
    for each in asked["Object"]:
        found = response.backend.get_object(bucket_name, each["Key"])
        code = None if "ETag" not in each else "NoSuchKey" if found is None else _differs(each["ETag"], found.etag)
        if code is None:
            ((key, _, marker),), _ = response.backend.delete_objects(bucket_name, [each])
            deleted.append({"Key": key, "DeleteMarker": True, "DeleteMarkerVersionId": marker})
        else:
            refused.append({"Key": each["Key"], "Code": code, "Message": "it is not the object that was asked for"})
    response.data["Action"] = "DeleteObjects"
    told = [] if asked.get("Quiet") == "true" else deleted
    return response.serialized(ActionResult({"Deleted": told, "Errors": refused}))


def _differs(asked: str, there: str) -> str | None:
    return "PreconditionFailed" if asked.strip('"') != there.strip('"') else None
