"""What every statistic needs from its two samples before it computes."""

from __future__ import annotations

import numpy as np

from kedge.arrays import Counts, Floats
from kedge.errors import EmptySampleError


def sizes(baseline: Counts, window: Counts) -> tuple[int, int]:
    """Rows of both samples; one without any raises `EmptySampleError`.

    >>> sizes(np.array([1, 1]), np.array([3, 1]))
    (2, 4)
    """
    n, m = int(baseline.sum()), int(window.sum())
    if not n or not m:
        raise EmptySampleError(sample="window" if n else "baseline")
    return n, m


def proportions(baseline: Counts, window: Counts, *, pseudo_count: float = 0.0) -> tuple[Floats, Floats]:
    """Turn two rows-per-cell vectors into proportions.

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell; an empty sample raises `EmptySampleError`.
    pseudo_count : float
        Rows added to every cell, so that an empty one costs a finite amount.

    >>> proportions(np.array([1, 1]), np.array([3, 1]))[1].tolist()
    [0.75, 0.25]
    """
    n, m = sizes(baseline, window)
    added = pseudo_count * len(baseline)
    return _shares(baseline, n, pseudo_count, added), _shares(window, m, pseudo_count, added)


def _shares(sample: Counts, rows: int, pseudo_count: float, added: float) -> Floats:
    return np.asarray((sample + pseudo_count) / (rows + added), np.float64)
