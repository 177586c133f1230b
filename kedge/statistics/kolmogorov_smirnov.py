"""Kolmogorov-Smirnov: the largest gap between two cumulative distributions."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import kolmogi, kolmogorov, smirnov

from kedge.arrays import Counts
from kedge.statistics.counts import proportions, sizes

MEAN_OF_KOLMOGOROV = math.sqrt(math.pi / 2) * math.log(2)
# Smirnov's exact sum has as many terms as there are rows: beyond this, its expansion is as good and much cheaper.
EXACT_ROWS_MAX = 1000
# Products of row counts up to here are exact in 64 bits.
_EXACT_PRODUCT = 2**62


def ks_statistic(baseline: Counts, window: Counts) -> float:
    """Largest gap between the cumulative distributions at the cells' edges, 0 to 1.

    Smirnov (1948), Ann. Math. Stat. 19, 279. Exact where the edges are {nextafter(v), v} for each distinct
    baseline value v; otherwise a lower bound. For ordered values only. An empty sample raises
    `EmptySampleError`.

    >>> ks_statistic(np.array([5, 5]), np.array([2, 8]))
    0.3

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell in the order of their values.
    """
    n, m = sizes(baseline, window)
    if n * m > _EXACT_PRODUCT:
        b, w = proportions(baseline, window)
        return float(min(np.abs(np.cumsum(b) - np.cumsum(w)).max(), 1.0))
    gap = np.abs(np.cumsum(baseline, dtype=np.int64) * m - np.cumsum(window, dtype=np.int64) * n).max()
    return int(gap) / (n * m)


def ks_test(baseline: Counts, window: Counts, *, design_effect: float = 1.0) -> tuple[float, float]:
    """KS statistic and its p-value.

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell in the order of their values.
    design_effect : float
        How many rows are worth one independent row; the p-value is that of the rows divided by it.

    >>> statistic, p_value = ks_test(np.array([500, 0]), np.array([450, 50]))
    >>> statistic, round(p_value, 4)
    (0.1, 0.0125)
    """
    statistic = ks_statistic(baseline, window)
    rows = (int(side.sum()) / design_effect for side in (baseline, window))
    return statistic, ks_p_value(statistic, *rows)


def effective_rows(baseline_rows: float, window_rows: float) -> float:
    """Rows of one sample that carry as much as these two: nm / (n + m).

    >>> effective_rows(100, 100)
    50.0
    """
    return baseline_rows * window_rows / (baseline_rows + window_rows)


def ks_p_value(statistic: float, baseline_rows: float, window_rows: float) -> float:
    """Tail probability of a two-sample KS statistic under no drift, asymptotic in the two sizes.

    The one-sample distribution at nm / (n + m) rows. Below one half: twice the one-sided tail, which overstates it by
    less than 0.1 % where it is below 0.2; exact up to 1,000 rows (Birnbaum and Tingey 1951, Ann. Math. Stat. 22, 592),
    beyond that with Smirnov's correction of 1 / (6 sqrt n), which also serves above one half. Too large for ties.

    >>> round(ks_p_value(0.1, 500, 500), 4)
    0.0125
    """
    rows = max(round(effective_rows(baseline_rows, window_rows)), 1)
    shifted = math.sqrt(rows) * statistic + 1 / (6 * math.sqrt(rows))
    limit = float(kolmogorov(shifted))
    if rows > EXACT_ROWS_MAX or limit > 0.5:
        return limit if statistic > 0 else 1.0
    return min(2 * float(smirnov(rows, statistic)), 1.0)


def ks_without_drift(baseline_rows: float, window_rows: float) -> float:
    """Mean KS statistic of two samples without ties when nothing has drifted: sqrt(pi / 2) ln 2 / sqrt(nm / (n + m)).

    With ties it is less; `total_variation_without_drift` bounds it too, and is the smaller of the two for few values.

    >>> round(ks_without_drift(500, 500), 4)
    0.0549
    """
    return MEAN_OF_KOLMOGOROV / math.sqrt(effective_rows(baseline_rows, window_rows))


def ks_critical(p_value: float, baseline_rows: float, window_rows: float) -> float:
    """KS statistic whose asymptotic p-value is `p_value`: what these sizes can tell from chance.

    >>> round(ks_critical(0.05, 500, 500), 4)
    0.0859
    """
    return float(kolmogi(p_value)) / math.sqrt(effective_rows(baseline_rows, window_rows))


def ks_exact_p_value(statistic: float, first_rows: int, second_rows: int) -> float:
    """Exact tail probability of a two-sample KS statistic between continuous samples, for a few hundred rows at most.

    Counts the lattice paths that stay inside the statistic: u(i, j) = i/(i+j) u(i-1, j) + j/(i+j) u(i, j-1) where
    |i/n - j/m| < D, else 0 (Hodges 1958, Arkiv for Matematik 3, 469). For tiny samples, where the asymptotic
    tail is wrong: one row each always differ by D = 1. Costs n m steps; for more rows prefer `ks_p_value`.

    >>> ks_exact_p_value(1.0, 1, 1), round(ks_exact_p_value(1.0, 7, 7), 6)
    (1.0, 0.000583)
    """
    inside = [0.0] * (second_rows + 1)
    for i in range(first_rows + 1):
        for j in range(second_rows + 1):
            if i == j == 0:
                inside[0] = 1.0
                continue
            # A gap that equals the statistic counts as reached; the margin is far below 1/(n m).
            reached = abs(i / first_rows - j / second_rows) >= statistic - 1e-9
            before = inside[j - 1] if j else 0.0
            inside[j] = 0.0 if reached else (i * inside[j] + j * before) / (i + j)
    return 1.0 - inside[second_rows]
