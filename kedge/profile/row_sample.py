"""A random sample of rows that come in batches, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_SEED = 20160104
# It is cut back to its size when it has grown to this multiple of it.
_ROOM = 1.5


class RowSample:
    """All rows while they fit, else `size` of them, each with the same chance.

    Each row draws a number, and the rows with the smallest stay: Vitter (1985), ACM TOMS 11, 37, in batches.

    Parameters
    ----------
    size : int
        Rows that fit.
    columns : sequence of str
        Those that are kept where not all rows fit.

    >>> sample = RowSample(2, ["x"])
    >>> for x in range(9):
    ...     sample.add(pa.table({"x": [x]}))
    >>> sample.rows, sample.table.num_rows, sample.is_whole
    (9, 2, False)
    """

    def __init__(self, size: int, columns: Sequence[str]) -> None:
        self._size, self._columns, self._rng = size, list(columns), np.random.default_rng(_SEED)
        self._tables: list[pa.Table] = []
        self._draws: list[NDArray[np.float64]] = []
        self._limit, self.rows = np.inf, 0

    def add(self, batch: Any) -> None:
        """See the next rows: a table or a record batch."""
        was_whole, self.rows = self.is_whole, self.rows + batch.num_rows
        self._tables.append(batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch]))
        self._draws.append(self._rng.random(batch.num_rows))
        if self.is_whole:
            return
        if was_whole:
            self._tables = [table.select(self._columns) for table in self._tables]
        self._keep(-1)
        if sum(map(len, self._draws)) > _ROOM * self._size:
            self._cut()

    @property
    def is_whole(self) -> bool:
        """Whether it holds every row that was seen."""
        return self.rows <= self._size

    @property
    def table(self) -> pa.Table:
        """The sample, in the order of the rows."""
        if not self.is_whole:
            self._cut()
        return pa.concat_tables(self._tables, promote_options="permissive") if self._tables else pa.table({})

    def _cut(self) -> None:
        """Lower the limit until the sample has its size."""
        draws = np.concatenate(self._draws)
        if len(draws) > self._size:
            self._limit = float(np.partition(draws, self._size)[self._size])
            for place in range(len(self._tables)):
                self._keep(place)

    def _keep(self, place: int) -> None:
        """Those rows of one table whose draws are below the limit."""
        chosen = np.flatnonzero(self._draws[place] < self._limit)
        self._tables[place] = self._tables[place].select(self._columns).take(pa.array(chosen))
        self._draws[place] = self._draws[place][chosen]
