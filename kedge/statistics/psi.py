"""Population stability index: the usual measure, and its value without drift."""

from __future__ import annotations

import numpy as np

from kedge.arrays import Counts
from kedge.statistics.counts import proportions, sizes


def psi(baseline: Counts, window: Counts, *, pseudo_count: float = 0.5) -> float:
    """Population stability index of the window against its baseline, in nats.

    Sum over cells of (w - b) ln(w / b), with b and w the cell proportions: Jeffreys (1946),
    Proc. R. Soc. A 186, 453. Zero is no drift; there is no upper bound. Use it to compare with the usual thresholds of credit
    scoring (0.1 and 0.25 over ten cells) and with other tools' reports. Blind to the order of cells, and above 0.25
    only from a shift of half a standard deviation on; for an ordered feature prefer `wasserstein_distance`, and with many
    cells or few rows `psi_bias_corrected`. An empty sample raises `EmptySampleError`.

    >>> round(psi(np.array([500, 500]), np.array([600, 400])), 4)
    0.0405

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    pseudo_count : float
        Rows added to every cell, so that an empty one costs a finite amount.
    """
    # Cells come from the baseline alone: if the window changed them, a slow drift would
    # move the ruler together with the values.
    b, w = proportions(baseline, window, pseudo_count=pseudo_count)
    return float(np.sum((w - b) * np.log(w / b)))


def psi_without_drift(baseline: Counts, window: Counts) -> float:
    """The average `psi` when nothing has drifted: (cells - 1)(1/n + 1/m), in nats.

    The chi-square approximation of Yurdakul and Naranjo (2020), J. Risk Model Validation 14 (4), over the cells that
    the baseline uses. Subtract it before comparing with a fixed limit: with 200 levels and 1,000 rows
    it is 0.2 by itself.

    >>> round(psi_without_drift(np.array([500, 500]), np.array([500, 500])), 4)
    0.002
    """
    n, m = sizes(baseline, window)
    used = int(np.count_nonzero(baseline))
    return (used - 1) * (1 / n + 1 / m)


def psi_bias_corrected(baseline: Counts, window: Counts) -> float:
    """Population stability index minus its average without drift at these sizes, at least 0, in nats.

    `psi` minus `psi_without_drift`, with the cells that the baseline uses, so that the window's own cells do not lower it.
    Use it to compare columns, windows and models of different sizes: a raw PSI of 0.2 is drift in ten cells and 20,000
    rows, and no drift at all in 200 levels and 1,000 rows. If cells expect less than a row or two it corrects too much,
    and so errs on the quiet side. An empty sample raises `EmptySampleError`.

    >>> psi_bias_corrected(np.array([50, 50]), np.array([52, 48]))
    0.0
    >>> round(psi_bias_corrected(np.array([500, 500]), np.array([600, 400])), 4)
    0.0385

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    """
    return max(psi(baseline, window) - psi_without_drift(baseline, window), 0.0)
