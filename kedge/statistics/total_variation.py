"""Total variation: the share of rows that would have to move."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kedge.statistics.counts import proportions

Counts = NDArray[np.int64]


def total_variation_distance(baseline: Counts, window: Counts) -> float:
    """Half the sum of absolute differences of proportions, 0 (equal) to 1 (disjoint).

    The fraction of rows that would have to change cell. Blind to the order of cells, like chi-square, of which it is
    the effect size. An empty sample raises `EmptySampleError`.

    >>> round(total_variation_distance(np.array([5, 5]), np.array([7, 3])), 6)
    0.2

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    """
    b, w = proportions(baseline, window)
    return float(np.abs(b - w).sum() / 2)


def total_variation_without_drift(baseline: Counts, window: Counts) -> float:
    """Mean total variation when nothing has drifted, from the normal limit of each cell.

    Half the sum over cells of sqrt(2 / pi) times the difference's standard error, sqrt(p(1 - p)(1/n + 1/m)) with p the
    pooled proportion. With 200 levels and 1,000 rows it is about 0.18.

    >>> round(total_variation_without_drift(np.array([500, 500]), np.array([500, 500])), 4)
    0.0178
    """
    proportions(baseline, window)
    n, m = int(baseline.sum()), int(window.sum())
    p = (baseline + window) / (n + m)
    errors = np.sqrt(p * (1 - p) * (1 / n + 1 / m))
    return float(errors.sum() * math.sqrt(2 / math.pi) / 2)
