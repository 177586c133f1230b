"""The ruler that scores are counted with: the same for every model, so that counts of any two add."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Of the 52 bits of a double's fraction 28 are kept: every float32 has a cell of its own.
_DROPPED_BITS = 24
_HALF = int(np.array(0.5).view(np.int64)) >> _DROPPED_BITS
CELL_OF_ZERO, CELL_OF_ONE = 0, 2 * _HALF


def cells_of(scores: Floats) -> Ints:
    """Cell of each score, ascending with the score: its own leading bits below a half, those of 1 - score above.

    A cell is at most 4e-9 of the distance to 0 or 1 wide, so that scores crowded at either end, or about any value
    between, are told apart; 0 and 1 have cells of their own. No logarithm: the same on every machine.

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
    bits = nearest.view(np.int64) >> _DROPPED_BITS
    return np.where(low, bits, CELL_OF_ONE - bits)


def middles_of(cells: Ints) -> Floats:
    """A score in the middle of each cell; 0 and 1 of their own.

    >>> bool(np.allclose(middles_of(cells_of(np.array([0.0, 1e-9, 0.25, 0.9, 1.0]))), [0.0, 1e-9, 0.25, 0.9, 1.0], rtol=1e-8))
    True
    """
    cells = np.asarray(cells, np.int64)
    low = cells < _HALF
    bits = np.where(low, cells, CELL_OF_ONE - cells)
    middle = ((bits << _DROPPED_BITS) + (1 << (_DROPPED_BITS - 1))).view(np.float64)
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
