"""Chi-square test of homogeneity, in contingency form: an unseen level stays finite."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri

from kedge.statistics.counts import proportions

Counts = NDArray[np.int64]
MINIMUM_EXPECTED_ROWS = 5.0


def chi_square(
    baseline: Counts, window: Counts, *, minimum_expected_rows: float = MINIMUM_EXPECTED_ROWS
) -> tuple[float, float]:
    """Chi-square statistic and p-value of the 2 x cells contingency table.

    Pearson (1900), Phil. Mag. 50, 157, with (cells - 1) degrees of freedom: sum over cells of (w - b)^2 / p times
    nm / (n + m), with b and w the proportions and p that of both samples together. Both rows of the table are samples,
    so a level that the baseline has never seen has a positive expectation. Rare levels are pooled (`pools`), for below
    `minimum_expected_rows` the tail probability is wrong (Cochran 1954, Biometrics 10, 417); a pool that expects
    fewer all the same counts as if it expected so many, which errs on the quiet side. An empty sample raises
    `EmptySampleError`.

    >>> statistic, p_value = chi_square(np.array([50, 50]), np.array([30, 70]))
    >>> round(statistic, 3), round(p_value, 4)
    (8.333, 0.0039)

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, in any order.
    """
    proportions(baseline, window)
    n, m = int(baseline.sum()), int(window.sum())
    least = minimum_expected_rows / min(n, m)
    pool = pools(baseline, least)
    b, w = np.bincount(pool, baseline), np.bincount(pool, window)
    together = (b + w) / (n + m)
    used = together > 0
    together = np.where(b / n < least, np.maximum(together, least), together)
    statistic = float(np.sum((w / m - b / n)[used] ** 2 / together[used]) * (n * m / (n + m)))
    degrees = int(used.sum()) - 1
    return (statistic, float(chdtrc(degrees, statistic))) if degrees else (0.0, 1.0)


def pools(baseline: Counts, least: float) -> Counts:
    """Pool of each level: common levels keep one each, rare ones share one, the unseen have the last.

    The window has no say in it, else mixing more drift in could lower the statistic. Neighbours in the order of rarity
    share a pool until it holds about twice `least` of the baseline.

    Parameters
    ----------
    baseline : ndarray of int, shape (n_cells,)
        The baseline's rows per level.
    least : float
        Fraction of the baseline below which a level is rare.

    >>> pools(np.array([90, 4, 1, 5, 0]), 0.05).tolist()
    [0, 2, 2, 1, 3]
    """
    fractions = baseline / baseline.sum()
    common, unseen = fractions >= least, baseline == 0
    rare = np.flatnonzero(~common & ~unseen)
    rare = rare[np.argsort(fractions[rare], kind="stable")]
    pool = np.cumsum(common) - 1
    filled = np.floor(np.cumsum(fractions[rare]) / (2 * least))
    _, pool[rare] = np.unique(np.minimum(filled, filled[-1:]), return_inverse=True)
    pool[rare] += int(common.sum())
    pool[unseen] = pool.max() + 1 if unseen.any() else 0
    return pool.astype(np.int64)


def total_variation_certain(cells: int, p_value: float, baseline_rows: float, window_rows: float) -> float:
    """Total variation at and beyond which chi-square's p-value is certainly below `p_value`.

    The statistic is at least 4 nm / (n + m) times the squared total variation (Cauchy and Schwarz), whichever
    levels moved.

    >>> round(total_variation_certain(2, 0.05, 500, 500), 4)
    0.062
    """
    critical = float(chdtri(max(cells - 1, 1), p_value))
    return math.sqrt(critical * (baseline_rows + window_rows) / (4 * baseline_rows * window_rows))
