"""The ruler for scores, and rows of two classes by its cells: never more cells than a fixed number."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints

# Of the 52 bits of a double's fraction 28 are kept: every float32 has a cell of its own.
DROPPED_BITS = 24
_HALF = int(np.array(0.5).view(np.int64)) >> DROPPED_BITS
CELL_OF_ZERO, CELL_OF_ONE = 0, 2 * _HALF
# Up to this many different scores are counted exactly; with more, neighbours share a cell.
MAXIMUM_CELLS = 2**20


def pack(values: Ints) -> str:
    """Little-endian differences, deflated, in base 64: a sorted list becomes a fraction of its digits.

    >>> unpack(pack(np.array([3, 4, 9]))).tolist()
    [3, 4, 9]
    """
    steps = np.diff(values, prepend=0).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes())).decode()


def unpack(text: str) -> Ints:
    """The numbers that `pack` wrote."""
    steps = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8")
    return np.cumsum(steps).astype(np.int64)


def cells_of(scores: Floats) -> Ints:
    """Cell of each score, ascending with the score: its own leading bits below a half, those of 1 - score above.

    A cell is at most 4e-9 of the distance to 0 or 1 wide, so that crowded scores at either end, or around any value
    between, stay apart; 0 and 1 have cells of their own. No logarithm: the same on every machine.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,)
        0 to 1.

    >>> bool((np.diff(cells_of(np.array([0.0, 1e-30, 1e-12, 0.3, 0.30001, 0.5, 0.7, 1 - 1e-12, 1.0]))) > 0).all())
    True
    """
    scores = np.asarray(scores, np.float64)
    low = scores < 0.5
    # Adding zero turns a negative zero, whose leading bit is set, into the usual one.
    nearest = np.where(low, scores, 1.0 - scores) + 0.0
    bits = nearest.view(np.int64) >> DROPPED_BITS
    return np.where(low, bits, CELL_OF_ONE - bits)


def middles_of(cells: Ints) -> Floats:
    """A score in the middle of each cell; 0 and 1 for their own cells.

    >>> bool(np.allclose(middles_of(cells_of(np.array([0.0, 1e-9, 0.25, 0.9, 1.0]))), [0.0, 1e-9, 0.25, 0.9, 1.0], rtol=1e-8))
    True
    """
    cells = np.asarray(cells, np.int64)
    low = cells < _HALF
    bits = np.where(low, cells, CELL_OF_ONE - cells)
    middle = ((bits << DROPPED_BITS) + (1 << (DROPPED_BITS - 1))).view(np.float64)
    nearest = np.where(bits == 0, 0.0, np.minimum(middle, 0.5))
    return np.where(low, nearest, 1.0 - nearest)


def coarsened(cells: Ints, bits: int) -> Ints:
    """Cells with their last bits cleared, counted from 0 and 1 inward, so that their order stays.

    >>> coarsened(np.array([5, 6, 7, CELL_OF_ONE - 5, CELL_OF_ONE]), 1).tolist() == [4, 6, 6, CELL_OF_ONE - 4, CELL_OF_ONE]
    True
    """
    low = cells < _HALF
    kept = (np.where(low, cells, CELL_OF_ONE - cells) >> bits) << bits
    return np.where(low, kept, CELL_OF_ONE - kept)


def rank_rows(cells: Ints, positive: NDArray[np.bool_]) -> dict[str, Any]:
    """Count rows by cell.

    Parameters
    ----------
    cells : ndarray of int, shape (n_rows,)
    positive : ndarray of bool, shape (n_rows,)

    >>> ranked = rank_rows(np.array([7, 3, 7]), np.array([True, False, False]))
    >>> ranked["cells"].tolist(), ranked["positive"].tolist(), ranked["negative"].tolist()
    ([3, 7], [0, 1], [1, 1])
    """
    return _fitted(*rows_by_cell(cells, positive), 0)


def rows_by_cell(cells: Ints, flags: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Each cell once, ascending, with its rows that have the flag, and those that have it not.

    >>> [part.tolist() for part in rows_by_cell(np.array([7, 3, 7]), np.array([True, False, True]))]
    [[3, 7], [0, 2], [1, 0]]
    """
    # With the flag as its last bit a cell is sorted by value, which is faster than by place.
    ordered = np.sort(2 * cells + flags)
    flagged = ordered & 1
    return _merged(ordered >> 1, flagged, 1 - flagged)


def rank_cells(cells: Ints, positive: Ints, negative: Ints, cleared_bits: int) -> dict[str, Any]:
    """Sort counts of cells and add up repeated cells; `cleared_bits` were cleared in the coarsest of them.

    >>> rank_cells(np.array([7, 3, 7]), np.array([1, 0, 2]), np.array([0, 1, 0]), 0)["positive"].tolist()
    [0, 3]
    """
    if cleared_bits:
        cells = coarsened(cells, cleared_bits)
    order = np.argsort(cells, kind="stable")
    return _fitted(cells[order], positive[order], negative[order], cleared_bits)


def _fitted(cells: Ints, positive: Ints, negative: Ints, cleared_bits: int) -> dict[str, Any]:
    """Rows by cell, each cell once, and no more cells than the maximum.

    Which bits are cleared follows from all the rows, not from the order in which they were added: a part that needed
    coarser cells makes the whole need them.
    """
    cells, positive, negative = _merged(cells, positive, negative)
    while len(cells) > MAXIMUM_CELLS:
        cleared_bits += 1
        cells, positive, negative = _merged(coarsened(cells, cleared_bits), positive, negative)
    return {"cells": cells, "positive": positive, "negative": negative, "cleared_bits": cleared_bits}


def _merged(cells: Ints, positive: Ints, negative: Ints) -> tuple[Ints, Ints, Ints]:
    if not len(cells):
        return cells, positive, negative
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    return cells[starts], np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
