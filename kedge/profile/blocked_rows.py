"""Rows counted in a baseline's cells, and by block of time in the few groups of cells that design effects need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Ints
from kedge.columns.ages import RowTimes
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.column_counting import RowCells, row_cells
from kedge.profile.counting import naming, require
from kedge.profile.design_effect import BLOCKS, BlockTable, CellGroups


@dataclass(frozen=True, eq=False)
class PlacedRows:
    """Rows that are looked up once and counted in parts: a look costs the same for a hundred rows and for a thousand.

    Attributes
    ----------
    cells : mapping of str to RowCells
        By column, where each row belongs.
    groups : mapping of str to ndarray of int, shape (n_rows,)
        By column, the group of each row's cell, from 0; what belongs to none has the number behind the last.
    """

    cells: Mapping[str, RowCells]
    groups: Mapping[str, NDArray[np.int16]]

    @classmethod
    def of(cls, baseline: Baseline, groups: CellGroups, table: pa.Table, *, times: RowTimes = None) -> PlacedRows:
        """Look up each row's cell in each of the baseline's columns.

        Parameters
        ----------
        times : str, mapping or None
            What a timestamp's age is counted from: see `kedge.columns.ages`.
        """
        cells, found, first = dict[str, RowCells](), dict[str, NDArray[np.int16]](), 0
        for column in baseline.columns:
            name, start = column.name, baseline.offsets[column.name]
            bins, behind = baseline.bins[name], first + groups.sizes[name]
            require(column, table)
            with naming(name):
                cells[name] = row_cells(bins, column, table, times)
            # What belongs to none of the groups comes behind the column's own.
            own = np.minimum(groups.of_positions[start : start + bins.width], behind) - first
            # Of about ten groups: two bytes a row are kept.
            found[name] = own.astype(np.int16)[cells[name].places]
            first = behind
        return cls(cells, found)

    def part(self, rows: slice) -> PlacedRows:
        """Some of the rows."""
        return PlacedRows(
            {name: cells.part(rows) for name, cells in self.cells.items()},
            {name: groups[rows] for name, groups in self.groups.items()},
        )


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
    >>> groups = CellGroups.of(baseline)
    >>> counted = BlockedRows(baseline, groups)
    >>> counted.add(PlacedRows.of(baseline, groups, rows), np.array([0, 0, 5]))
    >>> counted.profile == baseline.profile, counted.design_effects()
    (True, {'x': 1.0})
    """

    def __init__(self, baseline: Baseline, groups: CellGroups) -> None:
        self.baseline, self._groups = baseline, groups
        self._counts, self._rows = np.zeros(baseline.width, np.int64), np.zeros(BLOCKS, np.int64)
        self._table = np.zeros((BLOCKS, groups.total), np.int64)

    def add(self, rows: PlacedRows, blocks: Ints) -> None:
        """Count the next rows.

        Parameters
        ----------
        blocks : ndarray of int, shape (n_rows,)
            Block of each row, below `BLOCKS`.
        """
        self._rows += np.bincount(blocks, minlength=BLOCKS)
        first = 0
        for column in self.baseline.columns:
            name, start = column.name, self.baseline.offsets[column.name]
            bins, behind = self.baseline.bins[name], first + self._groups.sizes[name]
            self._counts[start : start + bins.width] += rows.cells[name].counts(bins)
            self._table[:, first:behind] += _by_block(rows.groups[name], blocks, behind - first)
            first = behind

    @property
    def profile(self) -> Profile:
        """All rows."""
        return Profile(self.baseline.baseline, int(self._rows.sum()), self._counts)

    @property
    def blocks(self) -> BlockTable:
        """The blocks that have rows."""
        used = self._rows > 0
        return BlockTable(self._rows[used], self._table[used])

    def design_effects(self) -> dict[str, float]:
        """By column, how many of the rows count as one independent row."""
        return self.blocks.design_effects(self._groups)


def _by_block(groups: NDArray[np.int16], blocks: Ints, size: int) -> Ints:
    """Rows per block and group, shape (BLOCKS, size), without those of the group behind the last."""
    wide = size + 1
    return np.bincount(groups + blocks * wide, minlength=BLOCKS * wide).reshape(BLOCKS, wide)[:, :size]
