"""How often each level of a column occurs, over batches, however many levels there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.columns import cast_text, one_array
from kedge.level_cells import spelling
from kedge.level_hashes import level_hashes

# Names kept at a time, and hashes of the rare ones: beyond the second, a level of an identifier is as good as unseen.
KEPT_LEVELS, KEPT_HASHES = 1_000_000, 4_000_000
_PENDING_ROWS = 200_000
_NO_LEVELS = pa.table({"level": pa.array([], pa.string()), "rows": pa.array([], pa.int64())})


class LevelCounts:
    """Rows per level. Beyond a million levels the rarer half keep only their hashes (Manku and Motwani, VLDB 2002).

    >>> counts = LevelCounts()
    >>> counts.add(pa.array(["b", "a", "b", None, ""]))
    >>> counts.ranked(1)[0], len(counts.ranked(1)[1])
    (('b',), 1)
    """

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []
        self._pending = 0
        self._dropped = np.empty(0, np.uint64)

    def add(self, values: Any) -> None:
        """Count more rows."""
        counted = _counted(values)
        self._parts.append(counted)
        self._pending += counted.num_rows
        if self._pending > _PENDING_ROWS:
            self._fold()

    def ranked(self, maximum: int) -> tuple[tuple[str, ...], NDArray[np.uint64]]:
        """The `maximum` most frequent levels, ties by name, and the hashes of the others, ascending."""
        levels = _by_frequency(self._together())
        names = tuple(levels.column("level").slice(0, maximum).to_pylist())
        return names, self._with_dropped(levels.slice(maximum))

    def _fold(self) -> None:
        levels = self._together()
        if levels.num_rows > KEPT_LEVELS:
            levels = _by_frequency(levels)
            self._dropped = self._with_dropped(levels.slice(KEPT_LEVELS // 2))
            levels = levels.slice(0, KEPT_LEVELS // 2)
        # A column of very many levels is put together when it has doubled, not at every batch.
        self._parts, self._pending = [levels.combine_chunks()], -levels.num_rows

    def _together(self) -> pa.Table:
        """Each level once."""
        levels = pa.concat_tables([_NO_LEVELS, *self._parts]).group_by("level", use_threads=False)
        return levels.aggregate([("rows", "sum")]).rename_columns({"level": "level", "rows_sum": "rows"})

    def _with_dropped(self, levels: pa.Table) -> NDArray[np.uint64]:
        hashes = level_hashes(spelling(one_array(levels.column("level"))))
        return np.unique(np.concatenate([hashes, self._dropped]))[:KEPT_HASHES]


def _by_frequency(levels: pa.Table) -> pa.Table:
    return levels.sort_by([("rows", "descending"), ("level", "ascending")])


def _counted(values: Any) -> pa.Table:
    """Each level of these values once, with its rows; what is missing is left out."""
    array = one_array(values)
    if pa.types.is_dictionary(array.type):
        rows = np.bincount(array.indices.drop_null().to_numpy(zero_copy_only=False), minlength=len(array.dictionary))
        text = cast_text(array.dictionary)
    else:
        found = pc.value_counts(cast_text(array))
        text, rows = found.field(0), found.field(1).to_numpy(zero_copy_only=False)
    given = pa.array((np.asarray(rows) > 0) & text.is_valid().to_numpy(zero_copy_only=False))
    return pa.table({"level": text.filter(given), "rows": pa.array(rows, pa.int64()).filter(given)})
