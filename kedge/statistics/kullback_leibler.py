"""Kullback-Leibler: the information lost when the baseline stands for the window."""

from __future__ import annotations

from scipy.special import rel_entr

from kedge.arrays import Counts
from kedge.statistics.counts import proportions


def kullback_leibler_divergence(baseline: Counts, window: Counts, *, pseudo_count: float = 0.5) -> float:
    """Divergence of the window from its baseline, sum of w ln(w / b), in nats.

    Kullback and Leibler (1951), Ann. Math. Stat. 22, 79. Not symmetric and unbounded; `psi` is its symmetric form,
    `jensen_shannon_distance` its bounded one. An empty sample raises `EmptySampleError`.

    >>> import numpy as np
    >>> round(kullback_leibler_divergence(np.array([500, 500]), np.array([600, 400])), 4)
    0.0201

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    pseudo_count : float
        Rows added to every cell, so that an unseen level stays finite.
    """
    b, w = proportions(baseline, window, pseudo_count=pseudo_count)
    return float(rel_entr(w, b).sum())
