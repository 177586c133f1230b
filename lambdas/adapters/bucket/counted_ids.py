"""The ids of the rows that a day has counted, as hashes beside each part of the predictions table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Hashes
from kedge.capture.id_hashes import WaitingIds, decode_hashes, encode_hashes, hash_ids, in_both
from kedge.own_columns import ROW_ID
from lambdas.adapters.bucket import layout, predictions, row_objects


def hashes_key(part: str) -> str:
    """Where the hashes of a part's ids are kept: apart from the table, whose readers take every file for rows.

    >>> hashes_key("predictions/m/package=1/date=2016-01-03/ab.parquet")
    'profiles/m/1/ids/2016-01-03/ab.ids'
    """
    _, model, package, day, name = part.split("/")
    return layout.id_hashes_key(model, package.partition("=")[2], day.partition("=")[2], name.removesuffix(".parquet"))


def save_hashes(s3: Any, bucket: str, part: str, hashes: Hashes) -> None:
    """Keep the hashes of a part that is about to be written."""
    s3.put_object(Bucket=bucket, Key=hashes_key(part), Body=encode_hashes(hashes))


def meet_counted(s3: Any, bucket: str, waiting: WaitingIds, parts: Sequence[str]) -> None:
    """Hold the ids that wait against those of each part."""
    for known, texts in _each_part(s3, bucket, parts):
        waiting.meet(np.sort(hash_ids(texts())) if known is None else known, texts)


def met_hashes(s3: Any, bucket: str, hashes: Hashes, parts: Sequence[str]) -> Iterator[Hashes]:
    """For each part those of these hashes, sorted, that are among its ids'."""
    for known, texts in _each_part(s3, bucket, parts):
        yield in_both(hashes, np.sort(hash_ids(texts())) if known is None else known)


def _each_part(s3: Any, bucket: str, parts: Sequence[str]) -> Iterator[tuple[Hashes | None, Callable[[], Any]]]:
    """The sorted hashes of each part, and what reads its ids; some parts' hashes are read at once, and none are kept."""
    opened = row_objects.open_ahead(s3, bucket, map(hashes_key, parts))
    for part, (_, found) in zip(parts, opened, strict=True):
        # A part of an earlier version has none.
        known = None if found is None else decode_hashes(b"".join(found.content))
        yield known, cache(partial(_texts, s3, bucket, part))


def _texts(s3: Any, bucket: str, part: str) -> Any:
    table = predictions.load_parts(s3, bucket, [part], [ROW_ID])
    return pa.array([], pa.string()) if table is None else table.column(ROW_ID).combine_chunks()
