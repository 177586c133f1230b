"""Rows of two classes by score cell, ascending, each cell once, and never more cells than a fixed number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.score_cells import coarsened

Ints = NDArray[np.int64]
# Scores are counted exactly up to so many different ones; of more, neighbours share a cell.
MAXIMUM_CELLS = 2**20


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
    # With the label as its last bit a cell is sorted by value, which is faster than by place.
    ordered = np.sort(2 * cells + positive)
    labels = ordered & 1
    return _fitted(ordered >> 1, labels, 1 - labels, 0)


def rank_cells(cells: Ints, positive: Ints, negative: Ints, cleared_bits: int) -> dict[str, Any]:
    """Put counts of cells, some of them twice, in order; `cleared_bits` were cleared in the coarsest of them.

    >>> rank_cells(np.array([7, 3, 7]), np.array([1, 0, 2]), np.array([0, 1, 0]), 0)["positive"].tolist()
    [0, 3]
    """
    if cleared_bits:
        cells = coarsened(cells, cleared_bits)
    order = np.argsort(cells, kind="stable")
    return _fitted(cells[order], positive[order], negative[order], cleared_bits)


def _fitted(cells: Ints, positive: Ints, negative: Ints, cleared_bits: int) -> dict[str, Any]:
    """Rows by cell, each cell once and no more cells than the most that are kept.

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
