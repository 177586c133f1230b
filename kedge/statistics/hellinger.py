"""Hellinger: a bounded metric that weighs rare cells more than total variation does."""

from __future__ import annotations

import math

import numpy as np

from kedge.arrays import Counts
from kedge.statistics.counts import proportions


def hellinger_distance(baseline: Counts, window: Counts) -> float:
    """Hellinger distance of the window from its baseline, 0 (equal) to 1 (disjoint).

    The root of half the sum over cells of (sqrt b - sqrt w)^2, with b and w the cell proportions: Hellinger (1909), J. Reine
    Angew. Math. 136, 210. For columns with many rare cells: a level that goes from nothing to 1 % counts more than one that
    goes from 50 to 51 %, no pseudo-counts are needed, and total variation lies between its square and sqrt(2) times it.
    Blind to the order of cells. For the share of rows that moved prefer `total_variation_distance`. An empty sample
    raises `EmptySampleError`.

    >>> round(hellinger_distance(np.array([1, 1]), np.array([0, 2])), 4)
    0.5412

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    """
    b, w = proportions(baseline, window)
    return math.sqrt(min(float(((np.sqrt(b) - np.sqrt(w)) ** 2).sum()) / 2, 1.0))
