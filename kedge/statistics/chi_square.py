"""Chi-square test of homogeneity, in contingency form: an unseen level stays finite."""

from __future__ import annotations

import math

from scipy.special import chdtrc, chdtri

from kedge.arrays import Counts
from kedge.statistics.pooling import Contingency


def chi_square(baseline: Counts, window: Counts, *, design_effect: float = 1.0) -> tuple[float, float]:
    """Chi-square statistic and p-value of the 2 x cells contingency table.

    Pearson (1900), Phil. Mag. 50, 157, with (cells - 1) degrees of freedom: sum over cells of (w - b)^2 / p times
    nm / (n + m), with b and w the proportions and p that of both samples together. For columns without an order: it sees
    whichever levels moved. Both rows of the table are samples, so a level that the baseline has never seen has a positive
    expectation, and if the baseline has a long tail, the number of rows that the tail predicts (Good 1953). Rare levels are
    pooled (`pools`), because below five expected rows the tail probability is wrong (Cochran 1954, Biometrics 10, 417).
    A pool that still expects fewer counts as if it expected five, which errs on the quiet side. For ordered
    values prefer `ks_statistic`. An empty sample raises `EmptySampleError`.

    >>> import numpy as np
    >>> statistic, p_value = chi_square(np.array([50, 50]), np.array([30, 70]))
    >>> round(statistic, 3), round(p_value, 4)
    (8.333, 0.0039)

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, in any order.
    design_effect : float
        How many rows count as one independent row. The p-value is of the statistic divided by it: Rao and Scott (1981), J.
        Am. Stat. Assoc. 76, 221.
    """
    table = Contingency(baseline, window, design_effect=design_effect)
    if not table.degrees:
        return 0.0, 1.0
    statistic = float(table.pearson_terms.sum())
    return statistic, float(chdtrc(table.degrees, statistic / design_effect))


def total_variation_certain(cells: int, p_value: float, baseline_rows: float, window_rows: float) -> float:
    """Total variation from which chi-square's p-value is certainly below `p_value`.

    The statistic is at least 4 nm / (n + m) times the squared total variation (Cauchy and Schwarz), whichever
    levels moved. If levels are pooled it holds for rows that move between pools.

    >>> round(total_variation_certain(2, 0.05, 500, 500), 4)
    0.062
    """
    critical = float(chdtri(max(cells - 1, 1), p_value))
    return math.sqrt(critical * (baseline_rows + window_rows) / (4 * baseline_rows * window_rows))
