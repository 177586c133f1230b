"""Rows counted in a baseline's cells, and by block of time in the few groups of cells that design effects need."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kedge.arrays import Ints
from kedge.columns.ages import RowTimes
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.column_counting import row_cells
from kedge.profile.counting import naming, require
from kedge.profile.design_effect import BLOCKS, CellGroups


class BlockedRows:
    """One profile of all rows, and a table of `BLOCKS` times about ten groups a column in place of a profile a block.

    Parameters
    ----------
    groups : CellGroups
        Of the baseline's cells.

    >>> from kedge.columns.casting import Column
    >>> from kedge.profile.freezing import freeze_baseline
    >>> rows = pa.table({"x": [1.0, 2.0, 2.0]})
    >>> baseline = freeze_baseline("m", "1", (Column("x", "feature", "numeric", "float64"),), rows, rows)
    >>> counted = BlockedRows(baseline, CellGroups.of(baseline))
    >>> counted.add(rows, np.array([0, 0, 5]))
    >>> counted.profile == baseline.profile, counted.design_effects()
    (True, {'x': 1.0})
    """

    def __init__(self, baseline: Baseline, groups: CellGroups) -> None:
        self.baseline, self._groups = baseline, groups
        self._counts, self._rows = np.zeros(baseline.width, np.int64), np.zeros(BLOCKS, np.int64)
        self._table = np.zeros((BLOCKS, groups.total), np.int64)

    def add(self, table: pa.Table, blocks: Ints, *, times: RowTimes = None) -> None:
        """Count the next rows.

        Parameters
        ----------
        blocks : ndarray of int, shape (n_rows,)
            Block of each row, below `BLOCKS`.
        times : str, mapping or None
            What a timestamp's age is counted from: see `kedge.columns.ages`.
        """
        self._rows += np.bincount(blocks, minlength=BLOCKS)
        first = 0
        for column in self.baseline.columns:
            bins, start = self.baseline.bins[column.name], self.baseline.offsets[column.name]
            require(column, table)
            with naming(column.name):
                found = row_cells(bins, column, table, times)
            self._counts[start : start + bins.width] += found.counts(bins)
            behind = first + self._groups.sizes[column.name]
            # What belongs to none of the groups comes behind the column's own.
            own = np.minimum(self._groups.of_positions[start : start + bins.width], behind) - first
            self._table[:, first:behind] += _by_block(own[found.places], blocks, behind - first)
            first = behind

    @property
    def profile(self) -> Profile:
        """All rows."""
        return Profile(self.baseline.baseline, int(self._rows.sum()), self._counts)

    def design_effects(self) -> dict[str, float]:
        """By column, how many of the rows count as one independent row."""
        used = self._rows > 0
        table = self._table[used]
        return self._groups.design_effects(self._rows[used].tolist(), lambda groups: table[:, groups])


def _by_block(groups: Ints, blocks: Ints, size: int) -> Ints:
    """Rows per block and group, shape (BLOCKS, size), without those of the group behind the last."""
    wide = size + 1
    return np.bincount(groups + blocks * wide, minlength=BLOCKS * wide).reshape(BLOCKS, wide)[:, :size]
