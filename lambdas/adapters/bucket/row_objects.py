"""Objects of rows in S3, opened as files that are read in ranges."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.bucket.objects import is_absent, read

K = TypeVar("K")
T = TypeVar("T")
# One request a stretch: large enough for S3's latency not to count, small enough for any machine.
READ_AHEAD_BYTES = 8 * 1024 * 1024
# How boto3 says that S3 does not answer, or with something else.
REFUSALS = (ClientError, BotoCoreError)
# As many connections as botocore keeps open for a client.
READERS = 10


def list_sizes(s3: Any, bucket: str, prefix: str, *, start_after: str = "") -> dict[str, int]:
    """Size of every object below a prefix, by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start_after)
    return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def open_object(s3: Any, bucket: str, key: str) -> io.BufferedReader:
    """An object as a file that can be read from any place; one that is replaced meanwhile fails instead of mixing."""
    return io.BufferedReader(_ObjectFile(s3, bucket, key), READ_AHEAD_BYTES)


@dataclass(frozen=True)
class Stretches:
    """An object that is being read: its ETag, its size, and its bytes from `start` on, a stretch at a time."""

    etag: str
    size: int
    start: int
    content: Iterator[bytes]


def open_stretches(s3: Any, bucket: str, key: str, *, start: int = 0) -> Stretches | None:
    """Open an object for reading once, from the front; None where there is none.

    A small object takes one request. One that is replaced while it is read fails instead of mixing.
    """
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, **({"Range": f"bytes={start}-"} if start else {}))
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    which, size = {"Bucket": bucket, "Key": key, "IfMatch": answer["ETag"]}, start + answer["ContentLength"]
    return Stretches(answer["ETag"], size, start, _stretches(s3, which, answer, start, size))


def open_ahead(s3: Any, bucket: str, keys: Iterable[str]) -> Iterator[tuple[str, Stretches | None]]:
    """Open objects side by side, and hand each on in its order; the first stretch of the next ones is on its way already.

    One that S3 refuses raises when it is read.

    Most of an hour's objects are small, and opened one after the other each would cost S3's latency. At most `READERS` first
    stretches are held.
    """
    return ahead(keys, partial(_begun, s3, bucket))


def read_ahead(s3: Any, bucket: str, keys: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
    """Read objects side by side, each whole in one request, and hand each on in its order; None for one that is gone.

    At most `READERS` are held.
    """
    for key, found in ahead(keys, partial(read, s3, bucket)):
        yield key, None if found is None else found[0]


def ahead(keys: Iterable[K], begin: Callable[[K], T]) -> Iterator[tuple[K, T]]:
    """Begin some things side by side, at most `READERS` at a time, and hand each on in its order."""
    waiting = deque[tuple[K, Future[T]]]()
    pool = ThreadPoolExecutor(READERS)
    try:
        for key in keys:
            waiting.append((key, pool.submit(begin, key)))
            if len(waiting) == READERS:
                first, found = waiting.popleft()
                yield first, found.result()
        for key, found in waiting:
            yield key, found.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begun(s3: Any, bucket: str, key: str) -> Stretches | None:
    try:
        found = open_stretches(s3, bucket, key)
        return found and replace(found, content=chain([next(found.content)], found.content))
    except REFUSALS as error:
        return Stretches("", 0, 0, map(_raise, [error]))


def _raise(error: Exception) -> bytes:
    raise error


def _stretches(s3: Any, which: dict[str, str], answer: Any, start: int, size: int) -> Iterator[bytes]:
    yield answer["Body"].read(READ_AHEAD_BYTES)
    # The rest of the first answer is not read: the reader works long between two stretches, and the connection would break.
    answer["Body"].close()
    for place in range(start + READ_AHEAD_BYTES, size, READ_AHEAD_BYTES):
        end = min(place + READ_AHEAD_BYTES, size) - 1
        yield s3.get_object(**which, Range=f"bytes={place}-{end}")["Body"].read()


class _ObjectFile(io.RawIOBase):
    """An object's bytes, each stretch asked for when it is read."""

    def __init__(self, s3: Any, bucket: str, key: str) -> None:
        head = s3.head_object(Bucket=bucket, Key=key)
        self._s3, self._which = s3, {"Bucket": bucket, "Key": key, "IfMatch": head["ETag"]}
        self._size: int = head["ContentLength"]
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def readinto(self, buffer: Any) -> int:
        end = min(self._place + len(buffer), self._size)
        if end <= self._place:
            return 0
        answer = self._s3.get_object(**self._which, Range=f"bytes={self._place}-{end - 1}")
        found: bytes = answer["Body"].read()
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)
