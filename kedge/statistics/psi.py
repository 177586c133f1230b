"""Population stability index: the field's habit, and what it shows without drift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kedge.statistics.counts import proportions

Counts = NDArray[np.int64]


def psi(baseline: Counts, window: Counts, *, pseudo_count: float = 0.5) -> float:
    """Population stability index of the window against its baseline, in nats.

    Sum over cells of (w - b) ln(w / b), with b and w the cell proportions: Jeffreys (1946),
    Proc. R. Soc. A 186, 453. Zero is no drift; there is no upper bound. Blind to the order of cells; for an
    ordered feature prefer `wasserstein_distance`. An empty sample raises `EmptySampleError`.

    >>> round(psi(np.array([500, 500]), np.array([600, 400])), 4)
    0.0405

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    pseudo_count : float
        Rows added to every cell, so that an empty one costs a finite amount.
    """
    # Cells come from the baseline alone: were the window to stretch them, a slow drift
    # would move the ruler along with the thing it measures.
    b, w = proportions(baseline, window, pseudo_count=pseudo_count)
    return float(np.sum((w - b) * np.log(w / b)))


def psi_without_drift(baseline: Counts, window: Counts) -> float:
    """What `psi` shows on average when nothing has drifted: (cells - 1)(1/n + 1/m), in nats.

    The chi-square approximation of Yurdakul and Naranjo (2020), J. Risk Model Validation 14 (4), over the cells that
    either sample uses. Subtract it before comparing with a fixed limit: with 200 levels and 1,000 rows
    it is 0.2 by itself.

    >>> round(psi_without_drift(np.array([500, 500]), np.array([500, 500])), 4)
    0.002
    """
    proportions(baseline, window)
    used = int(np.count_nonzero(baseline + window))
    return (used - 1) * (1 / int(baseline.sum()) + 1 / int(window.sum()))
