"""S3 listings that cost what they return, not what the bucket holds, and plain reads that cost a look-up.

moto walks every key of a bucket for each ListObjectsV2, copies the bucket to do so, and spends 0.1 ms on writing each
entry; for each PutObject it compares every version of the key with every other. Here a bucket keeps its keys' names
sorted, a page is cut out of them, and written in one go, and versions are told apart by identity. What is returned is
the same. A GetObject of a whole, current object without conditions, and a listing below a prefix that fits into one page,
are answered from the bucket; all others are moto's. moto also delivers a server access log, an object per
request, to the log bucket; AWS does so hours later and as it can, and nothing of ours reads it: here none is delivered.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from threading import RLock
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlparse
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.s3 import models
from moto.s3.models import FakeDeleteMarker, FakeKey, FakeTableStorageBucket, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES, _VersionedKeyStore

LAST_CHARACTER = chr(0x10FFFF)
PAGE = 1000  # objects, as S3 returns them at most


class IndexedKeys(_VersionedKeyStore):
    """A bucket's objects by key, with the keys' names in order.

    Functions write several objects at once: between a look at the names and what follows from it another thread would move them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._one_at_a_time = RLock()

    def __setitem__(self, key: str, value: Any) -> None:
        with self._one_at_a_time:
            if key not in self:
                insort(self.names, key)
            super().__setitem__(key, value)

    def setlist(self, key: Any, list_: Any) -> None:
        """Replace all versions of an object."""
        with self._one_at_a_time:
            if key not in self:
                insort(self.names, key)
            kept = {id(version) for version in list_}
            for version in self.getlist(key, []):
                if id(version) not in kept and isinstance(version, FakeKey):
                    version.dispose()
            dict.__setitem__(self, key, list_)

    def pop(self, key: str) -> None:  # type: ignore[override]  # moto's own pop has no default either
        """Forget an object with all its versions."""
        with self._one_at_a_time:
            super().pop(key)
            del self.names[bisect_left(self.names, key)]

    def first_below(self, number: int, prefix: str, after: str = "", delimiter: str = "") -> list[Any]:
        """Return in order the first that a listing shows beyond `after`: objects, and as text the common prefixes of many."""
        with self._one_at_a_time:
            return list(islice(self._below(prefix, after, delimiter), number))

    def _below(self, prefix: str, after: str, delimiter: str) -> Iterator[Any]:
        start = max(bisect_left(self.names, prefix), bisect_right(self.names, after))
        while start < len(self.names) and self.names[start].startswith(prefix):
            name = self.names[start]
            folder = _folder(name, prefix, delimiter)
            if folder is None:
                if not isinstance(self[name], FakeDeleteMarker):
                    yield self[name]
                start += 1
                continue
            end = bisect_left(self.names, folder + LAST_CHARACTER, lo=start)
            if folder > after and any(not isinstance(self[each], FakeDeleteMarker) for each in self.names[start:end]):
                yield folder
            start = end


def _folder(name: str, prefix: str, delimiter: str) -> str | None:
    if not delimiter or (end := name.find(delimiter, len(prefix))) < 0:
        return None
    return name[: end + len(delimiter)]


def list_objects_v2(  # noqa: PLR0913  # takes the place of moto's method, with its arguments
    backend: S3Backend,
    bucket: Any,
    prefix: str | None,
    delimiter: str | None,
    continuation_token: str | None,
    start_after: str | None,
    max_keys: int,
) -> tuple[list[Any], bool, str | None]:
    """Answer one page of a listing, as moto's backend does."""
    if isinstance(bucket, FakeTableStorageBucket):
        raise models.MethodNotAllowed
    after = backend._pagination_tokens.get(continuation_token) if continuation_token else start_after
    page = bucket.keys.first_below(max_keys + 1, prefix or "", after or "", delimiter or "")
    return backend._truncate_result(page, max_keys)  # type: ignore[no-any-return]


_ORDER = (
    "IsTruncated",
    "Contents",
    "Name",
    "Prefix",
    "Delimiter",
    "MaxKeys",
    "CommonPrefixes",
    "EncodingType",
    "KeyCount",
    "NextContinuationToken",
    "StartAfter",
)


def _listing(result: dict[str, Any]) -> str:
    """Write a ListObjectsV2 answer, in the order of S3's own."""
    body = "".join(_element(name, result[name]) for name in _ORDER if name in result)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{body}</ListBucketResult>'
    )


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(key, item) for key, item in value.items())}</{name}>"
    return f"<{name}>{str(value).lower() if isinstance(value, bool) else escape(str(value))}</{name}>"


def serialized(response: S3Response, answer: ActionResult) -> Any:
    """Write an answer as moto does, and a listing in one go."""
    if response.data.get("Action") != "ListObjectsV2" or not isinstance(answer.result, dict):
        return _serialized(response, answer)
    return 200, {"Content-Type": "application/xml", **response.response_headers}, _listing(answer.result)


_serialized = S3Response.serialized


_PLAIN = re.compile(r"https://([a-z0-9-]+)\.s3\.[a-z0-9-]+\.amazonaws\.com/([^?]+)$")
_CONDITIONS = ("Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")


def quick_get(request: Any) -> tuple[int, dict[str, str], bytes] | None:
    """Answer a plain GetObject as moto does; None where it is anything else, or there is something to say."""
    named = _PLAIN.match(request.url) if request.method == "GET" else None
    if named is None or any(name in request.headers for name in _CONDITIONS):
        return None
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(named[1])
    key = bucket.keys.get(unquote(named[2])) if bucket is not None else None
    if not isinstance(key, FakeKey) or key.storage_class in ARCHIVE_STORAGE_CLASSES:
        return None
    version = {"x-amz-version-id": key.version_id} if key.version_id != "null" else {}
    return 200, version | key.response_dict | dict(key.metadata) | {"Accept-Ranges": "bytes"}, key.value


_LISTED = re.compile(r"https://([a-z0-9-]+)\.s3\.[a-z0-9-]+\.amazonaws\.com/\?([^?]+)$")
_EVERYTHING = {"list-type": "2", "encoding-type": "url"}


def quick_list(request: Any) -> tuple[int, dict[str, str], str] | None:
    """Answer a listing below a prefix as moto does; None where it asks for a page, or needs a second one."""
    named = _LISTED.match(request.url) if request.method == "GET" else None
    asked = dict(parse_qsl(named[2], keep_blank_values=True)) if named else {}
    prefix, after, delimiter = (asked.pop(name, "") for name in ("prefix", "start-after", "delimiter"))
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(named[1]) if named else None
    if asked != _EVERYTHING or bucket is None or isinstance(bucket, FakeTableStorageBucket):
        return None
    if not isinstance(
        bucket.keys, IndexedKeys
    ):  # the way of a call is short in every test, also where buckets are moto's
        return None
    found = bucket.keys.first_below(PAGE + 1, prefix, after, delimiter)
    if len(found) > PAGE:
        return None
    result = {"IsTruncated": False, "Name": bucket.name, "Prefix": quote(prefix), "MaxKeys": PAGE}
    result["Contents"] = [_entry(key) for key in found if not isinstance(key, str)]
    if delimiter:
        folders = [{"Prefix": quote(folder)} for folder in found if isinstance(folder, str)]
        result |= {"Delimiter": delimiter, "CommonPrefixes": folders}
    if after:
        result["StartAfter"] = after
    return 200, {"Content-Type": "application/xml"}, _listing(result | {"EncodingType": "url", "KeyCount": len(found)})


def _entry(key: FakeKey) -> dict[str, Any]:
    described = {
        "Key": key.safe_name("url"),
        "LastModified": key.last_modified_ISO8601,
        "ETag": key.etag,
        "Size": key.size,
        "StorageClass": key.storage_class,
    }
    return described | ({"ChecksumAlgorithm": key.checksum_algorithm} if key.checksum_algorithm else {})


def install(patch: Callable[[Any, str, Any], None]) -> None:
    """Have buckets made from now on keep their keys in order, by a way to replace an attribute."""
    patch(models, "_VersionedKeyStore", IndexedKeys)
    patch(S3Backend, "list_objects_v2", list_objects_v2)
    patch(S3Response, "serialized", serialized)
    patch(S3Backend, "log_incoming_request", lambda *_: None)
    patch(S3Response, "subdomain_based_buckets", staticmethod(_names_bucket_in_host))


def _names_bucket_in_host(request: Any) -> bool:
    return _host_names_bucket(request.headers.get("host") or urlparse(request.url).netloc)


@cache
def _host_names_bucket(host: str) -> bool:
    return _subdomain_based_buckets(SimpleNamespace(headers={"host": host}, url=f"https://{host}/"))


_subdomain_based_buckets = S3Response.subdomain_based_buckets
