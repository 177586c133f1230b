"""Wasserstein: how far the values moved, in the feature's own unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kedge.statistics.counts import proportions

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def wasserstein_distance(baseline: Counts, window: Counts, values: Floats) -> float:
    """Earth mover's distance between the two samples, in the unit of `values`.

    The area between the cumulative distributions: Vallender (1974), Theory Probab. Appl. 18, 784. Unlike `psi` it
    knows the order of cells and how far apart they are. An empty sample raises `EmptySampleError`.

    >>> wasserstein_distance(np.array([1, 0]), np.array([0, 1]), np.array([10.0, 12.5]))
    2.5

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    values : ndarray of float, shape (n_cells,)
        A value that stands for each cell, ascending.
    """
    b, w = proportions(baseline, window)
    gap = np.abs(np.cumsum(b) - np.cumsum(w))[:-1]
    with np.errstate(over="ignore"):
        return float(gap @ np.diff(values))
