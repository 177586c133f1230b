"""How one column is cut into cells: edges for numbers, levels for categories."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Floats
from kedge.profile.cell_index import CellIndex
from kedge.profile.cell_sums import SumGrid

# Behind a column's cells stand the rows that have no cell, and behind those a number's sums per cell.
MISSING, UNPARSABLE, INFINITE, UNSEEN = range(4)
COUNTERS = 4
OTHER_RARE, UNKNOWN = "other rare levels", "levels unknown to the baseline"
BOOLEAN_LEVELS = ("false", "true")


@dataclass(frozen=True)
class Bins:
    """How one column is cut: `edges` for numbers and ages, `levels` for categories; the other is empty.

    Cell i of a numeric column holds edges[i-1] < x <= edges[i], so its first and last cells hold what lies outside
    the baseline's range. An atom v (a value that many rows share) has the edges nextafter(v, -inf) and v. Of a
    categorical column, levels too rare to stand apart share one more cell.

    Attributes
    ----------
    rare : ndarray of uint64
        Hashes of the levels that share the last cell (`kedge.profile.levels`), ascending.
    """

    edges: Floats = field(default_factory=lambda: np.empty(0))
    levels: tuple[str, ...] = ()
    rare: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))

    @cached_property
    def cells(self) -> int:
        """Cells, the counters not among them."""
        return len(self.edges) + 1 if len(self.edges) else len(self.levels) + bool(len(self.rare))

    @cached_property
    def width(self) -> int:
        """Length of the column's share of a profile's vector: cells, counters, and a number's sums."""
        return self.cells + COUNTERS + (self.cells if len(self.edges) else 0)

    def cell_name(self, cell: int) -> str:
        """A category's cell in words: a level, the rare ones, or (behind the last) the unseen.

        >>> [Bins(levels=("a",), rare=np.ones(1, np.uint64)).cell_name(i) for i in range(3)]
        ['a', 'other rare levels', 'levels unknown to the baseline']
        """
        if cell < len(self.levels):
            return self.levels[cell]
        return OTHER_RARE if cell < self.cells else UNKNOWN

    @cached_property
    def level_array(self) -> Any:
        """The levels as Arrow wants them for looking up."""
        return pa.array(self.levels, pa.string())

    @cached_property
    def grid(self) -> SumGrid:
        """What the sums of a number's cells are counted in."""
        return SumGrid(float(self.edges[0]), float(self.edges[-1]))

    @cached_property
    def index(self) -> CellIndex:
        """The table by which many numbers find their cells."""
        return CellIndex(self.edges)

    def forget_index(self) -> None:
        """Give the table's memory back; it is made again at the next use.

        >>> bins = Bins(edges=np.array([1.0, 2.0]))
        >>> first = bins.index
        >>> bins.forget_index()
        >>> bins.index is first
        False
        """
        vars(self).pop("index", None)
