"""What every statistic needs from its two samples before it computes."""

from __future__ import annotations

import numpy as np

from kedge.arrays import Counts, Floats
from kedge.errors import EmptySampleError


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
    sizes = int(baseline.sum()), int(window.sum())
    for name, size in zip(("baseline", "window"), sizes, strict=True):
        if size == 0:
            raise EmptySampleError(sample=name)
    cells = len(baseline)
    b, w = (
        np.asarray((sample + pseudo_count) / (size + pseudo_count * cells), np.float64)
        for sample, size in zip((baseline, window), sizes, strict=True)
    )
    return b, w
