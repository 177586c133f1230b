"""Coarser cells for statistics that need rows in each of them."""

from __future__ import annotations

import numpy as np

from kedge.arrays import Ints
from kedge.profile.bins import Bins

# The field's thresholds for PSI are meant for ten equal cells.
NEIGHBOURHOODS = 10


def coarse_starts(baseline: Ints, *, cells: int = NEIGHBOURHOODS) -> Ints:
    """First fine cell of each of about `cells` neighbourhoods with equal baseline rows.

    A value that many rows share stays whole, so there may be fewer.

    Parameters
    ----------
    baseline : ndarray of int, shape (n_fine,)
        The baseline's rows per fine cell; the window has no say in where cells end.

    >>> coarse_starts(np.array([0, 10, 10, 10, 10, 0]), cells=2).tolist()
    [0, 3]
    """
    below = np.cumsum(baseline) - baseline
    wanted = np.linspace(0, baseline.sum(), cells + 1)[1:-1]
    starts = np.searchsorted(below + baseline, wanted, side="left") + 1
    occupied = starts[(starts < len(baseline)) & (below[np.minimum(starts, len(baseline) - 1)] < baseline.sum())]
    return np.unique(np.concatenate([[0], occupied])).astype(np.int64)


def coarsen(counts: Ints, starts: Ints) -> Ints:
    """Rows per neighbourhood.

    >>> coarsen(np.array([1, 2, 3, 4]), np.array([0, 2])).tolist()
    [3, 7]
    """
    return np.add.reduceat(counts, starts)


def median(counts: Ints, bins: Bins) -> float:
    """Median to within its cell.

    >>> median(np.array([0, 5, 0]), Bins(edges=np.array([1.0, 3.0])))
    3.0
    """
    return float(bins.edges[min(median_cell(counts), len(bins.edges) - 1)])


def median_cell(counts: Ints) -> int:
    """The cell that holds the median.

    >>> median_cell(np.array([0, 5, 0]))
    1
    """
    return int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
