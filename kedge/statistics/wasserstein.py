"""Wasserstein: how far the values moved, in the feature's own unit."""

from __future__ import annotations

import numpy as np

from kedge.arrays import Counts, Floats
from kedge.statistics.counts import proportions


def wasserstein_distance(baseline: Counts, window: Counts, edges: Floats, means: tuple[Floats, Floats]) -> float:
    """Earth mover's distance between the two samples, in the unit of `edges`.

    The area between the cumulative distributions: Vallender (1974), Theory Probab. Appl. 18, 784. It says how large a shift is
    in words that users understand ("lead_time moved by 12 days"). Unlike `psi` it knows the order of cells and their
    distance. It has no p-value of its own: for a verdict prefer `ks_statistic`. The signed area over a
    cell follows exactly from its counts and means, so the distance is exact, except for cells in which the two distributions
    cross; there it is too small. It is infinite or NaN if values are too far apart for a float. An empty sample raises
    `EmptySampleError`.

    >>> both = np.array([10.0, 12.5])
    >>> wasserstein_distance(np.array([1, 0]), np.array([0, 1]), np.array([11.0]), (both, both))
    2.5

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    edges : ndarray of float, shape (n_cells - 1,)
        Ascending; cell i holds edges[i-1] < x <= edges[i].
    means : tuple of two ndarrays of float, shape (n_cells,)
        Mean of the baseline's and of the window's values in each cell; NaN where it has none.
    """
    sides = proportions(baseline, window)
    if not len(edges):
        return float(abs(means[0][0] - means[1][0]))
    with np.errstate(over="ignore", invalid="ignore"):
        area = np.subtract(*(_area_below(side, edges, mean) for side, mean in zip(sides, means, strict=True)))
        # The last cell has no upper edge: values above its lower edge are counted from there, with the other sign.
        return float(np.abs(area).sum())


def _area_below(share: Floats, edges: Floats, means: Floats) -> Floats:
    """Area under one cumulative distribution in each cell; in the last, less the area above it."""
    values = np.where(share > 0, means, 0.0)
    ends = np.append(edges, edges[-1])
    widths = np.concatenate([[0.0], np.diff(edges), [0.0]])
    before = np.cumsum(share) - share
    own = np.where(share > 0, share * (ends - values), 0.0)
    return np.asarray(before * widths + own, np.float64)
