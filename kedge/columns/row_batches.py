"""Rows that are read as often as they are needed, some columns and some rows at a time: there may be more than fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

_Column = TypeVar("_Column")
# Of more columns rows are read several times, or the memory would grow with them: while it is read, each holds a page of
# Parquet and its dictionary, which are up to 2 MB, and a sample of it 2.4 MB.
COLUMNS_AT_ONCE = 32
ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class RowBatches:
    """Rows, wherever they lie.

    Attributes
    ----------
    names : tuple of str
        Their columns.
    rows : int
    read : callable
        Gives all rows from the beginning, with the named columns: tables or record batches, in the rows' order.

    >>> rows = RowBatches.of(pa.table({"x": [1, 2], "y": [3, 4]}))
    >>> rows.names, rows.rows, [batch.to_pydict() for batch in rows.read(["y"])]
    (('x', 'y'), 2, [{'y': [3, 4]}])
    """

    names: tuple[str, ...]
    rows: int
    read: Callable[[Sequence[str]], Iterable[Any]]

    @classmethod
    def of(cls, table: pa.Table) -> RowBatches:
        """Those of a table in memory."""
        return cls(
            tuple(table.column_names),
            table.num_rows,
            lambda columns: table.select([*columns]).to_batches(max_chunksize=ROWS_AT_ONCE),
        )


def grouped(columns: tuple[_Column, ...], size: int = COLUMNS_AT_ONCE) -> list[tuple[_Column, ...]]:
    """Columns in as few groups as may be read in one go each.

    >>> grouped((1, 2, 3), 2)
    [(1, 2), (3,)]
    """
    return [columns[first : first + size] for first in range(0, len(columns), size)]
