"""The ids of the rows that a day has counted, as hashes beside each part of the predictions table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Hashes
from kedge.capture.id_hashes import counted_before, decode_hashes, encode_hashes, first_of_each, hash_ids
from kedge.own_columns import ROW_ID
from lambdas.adapters.bucket import layout, objects, predictions


def hashes_key(part: str) -> str:
    """Where the hashes of a part's ids are kept: apart from the table, whose readers take every file for rows.

    >>> hashes_key("predictions/m/package=1/date=2016-01-03/ab.parquet")
    'profiles/m/1/ids/2016-01-03/ab.ids'
    """
    _, model, package, day, name = part.split("/")
    return layout.id_hashes_key(model, package.partition("=")[2], day.partition("=")[2], name.removesuffix(".parquet"))


class CountedIds:
    """The ids of some parts, each part's hashes read once and held at eight bytes an id."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket, self._hashes = s3, bucket, dict[str, Hashes]()

    def new_rows(self, table: pa.Table, parts: tuple[str, ...]) -> pa.Table:
        """Each row id once, and only those that stand in none of the parts."""
        ids = table.column(ROW_ID).combine_chunks()
        new = first_of_each(ids) & ~counted_before(ids, parts, self._of, self._texts)
        return table if new.all() else table.filter(pa.array(new))

    def save(self, part: str, table: pa.Table) -> None:
        """Keep the hashes of a part that is about to be written."""
        self._hashes[part] = np.sort(hash_ids(table.column(ROW_ID)))
        self._s3.put_object(Bucket=self._bucket, Key=hashes_key(part), Body=encode_hashes(self._hashes[part]))

    def _of(self, part: str) -> Hashes:
        if part not in self._hashes:
            found = objects.read(self._s3, self._bucket, hashes_key(part))
            # A part of an earlier version has none.
            self._hashes[part] = decode_hashes(found[0]) if found else np.sort(hash_ids(self._texts(part)))
        return self._hashes[part]

    def _texts(self, part: str) -> Any:
        table = predictions.load_parts(self._s3, self._bucket, [part], [ROW_ID])
        return pc.unique(table.column(ROW_ID)) if table is not None else pa.array([], pa.string())
