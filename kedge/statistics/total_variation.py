"""Total variation: the share of rows that would have to move."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from kedge.arrays import Counts, Floats
from kedge.statistics.counts import proportions, sizes


def total_variation_distance(baseline: Counts, window: Counts) -> float:
    """Half the sum of absolute differences of proportions, 0 (equal) to 1 (disjoint).

    The fraction of rows that would have to change cell (Gibbs and Su 2002, Int. Stat. Rev. 70, 419): people understand it as
    the part of the traffic that is different, so it is the effect of a categorical column. It is blind to the order of
    cells, like chi-square, and is chi-square's effect size. For ordered values prefer `ks_statistic`.
    Without drift it is not zero: see `total_variation_without_drift`. An empty sample raises `EmptySampleError`.

    >>> round(total_variation_distance(np.array([5, 5]), np.array([7, 3])), 6)
    0.2

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, both cut at the baseline's edges.
    """
    b, w = proportions(baseline, window)
    return float(np.abs(b - w).sum() / 2)


def total_variation_without_drift(baseline: Counts, window: Counts, *, design_effect: float = 1.0) -> float:
    """Mean total variation when nothing has drifted, given how many rows each cell has in both samples together.

    Without drift, chance deals a cell's rows to the two samples: half the sum over cells of the mean absolute deviation of a
    binomial count, exact by De Moivre (1730; Diaconis and Zabell 1991, Stat. Sci. 6, 284), times (1/n + 1/m), and
    times sqrt(1 - p) for dealing without putting back. With 200 levels and 1,000 rows it is about 0.18. The normal limit
    would give a third more for a long tail of levels with a row or two.

    >>> round(total_variation_without_drift(np.array([500, 500]), np.array([500, 500])), 4)
    0.0178

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell.
    design_effect : float
        How many rows count as one independent row: deviations grow with its root.
    """
    n, m = sizes(baseline, window)
    rows = (baseline + window)[(baseline + window) > 0]
    share = rows / (n + m)
    deviation = _binomial_deviation(rows, m / (n + m)) * np.sqrt((1 - share) * design_effect) * (1 / n + 1 / m)
    # Two samples differ in a cell by at most their rows in it.
    return float(np.minimum(deviation, 2 * share).sum() / 2)


def _binomial_deviation(rows: Counts, share: float) -> Floats:
    """Mean absolute deviation of a binomial count: 2 v C(k, v) q^v (1 - q)^(k - v + 1) with v = floor(k q) + 1."""
    v = np.minimum(np.floor(rows * share) + 1, rows)
    ways = gammaln(rows + 1) - gammaln(v + 1) - gammaln(rows - v + 1)
    return np.asarray(2 * v * np.exp(ways + v * math.log(share) + (rows - v + 1) * math.log1p(-share)), np.float64)
