"""Jensen-Shannon: a bounded, symmetric divergence and its metric."""

from __future__ import annotations

import math

from scipy.special import rel_entr

from kedge.arrays import Counts
from kedge.statistics.counts import proportions


def jensen_shannon_distance(baseline: Counts, window: Counts) -> float:
    """Square root of the Jensen-Shannon divergence in bits, 0 (equal) to 1 (disjoint).

    Lin (1991), IEEE Trans. Inf. Theory 37, 145; its root is a metric (Endres and Schindelin 2003). Blind to the
    order of cells. Finite without pseudo-counts. An empty sample raises `EmptySampleError`.

    >>> import numpy as np
    >>> jensen_shannon_distance(np.array([1, 0]), np.array([0, 1]))
    1.0

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    """
    b, w = proportions(baseline, window)
    middle = (b + w) / 2
    divergence = float(rel_entr(b, middle).sum() + rel_entr(w, middle).sum()) / (2 * math.log(2))
    return math.sqrt(min(max(divergence, 0.0), 1.0))
