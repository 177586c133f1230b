"""Objects of a log as lines of JSON, whatever they are: JSON Lines, the same zipped, or Parquet. The content says which."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from kedge.capture.log.records import as_line
from kedge.errors import UnreadableRecordError

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
# Unzipped, an object is handed on in such stretches, and Parquet in batches of this many rows.
STRETCH_BYTES, BATCH_ROWS = 8 * 1024 * 1024, 2048


def as_lines(stretches: Iterator[bytes], reopened: Callable[[], Any]) -> Iterator[bytes]:
    r"""Hand on an object's lines, stretch by stretch.

    Parameters
    ----------
    stretches : iterator of bytes
        The object's bytes.
    reopened : callable
        Opens the object as a file that can be read from any place, as Parquet must be.

    >>> list(as_lines(iter([b'{"id": "a"}\n']), lambda: None))
    [b'{"id": "a"}\n']

    Raises
    ------
    UnreadableRecordError
        Instead of the stretch from where on the object cannot be read.
    """
    first = next(stretches, b"")
    if first.startswith(GZIP):
        yield from inflated(chain([first], stretches))
    elif first.startswith(PARQUET):
        yield from parquet_lines(reopened())
    else:
        yield first
        yield from stretches


def inflated(stretches: Iterator[bytes]) -> Iterator[bytes]:
    """Unzip in bounded memory; one zipped part may follow the other, as files that were put together have them."""
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for stretch in stretches:
        rest = stretch
        while rest:
            if unzip.eof:
                unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                yield unzip.decompress(rest, STRETCH_BYTES)
            except zlib.error as error:
                raise UnreadableRecordError(reason=f"gzip cannot be read: {error}") from error
            rest = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    if not unzip.eof:
        raise UnreadableRecordError(reason="gzip ends too early: the object was cut off")


def parquet_lines(file: Any) -> Iterator[bytes]:
    """Each row of Parquet as a line."""
    import pyarrow.parquet as pq  # 0.35 s to import: not for those who read none

    try:
        for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, use_threads=False):
            yield b"".join(as_line(row) + b"\n" for row in batch.to_pylist())
    except (ConnectionError, TimeoutError):
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableRecordError(reason=f"Parquet cannot be read: {str(error).splitlines()[0]}") from error
