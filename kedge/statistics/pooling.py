"""Which levels share a cell in a test, so that each cell has enough rows for a right tail probability."""

from __future__ import annotations

from typing import Any

import numpy as np

from kedge.arrays import Counts, Floats
from kedge.statistics.counts import sizes

MINIMUM_EXPECTED_ROWS = 5.0
# Knuth's multiplier: positions in an order that is independent of the counts.
_SCATTER = np.uint64(2654435761)
_LOW_BITS = np.uint64(2**32 - 1)


def pools(baseline: Counts, least: float) -> Counts:
    """Pool of each level: common levels keep one each, rare ones share one, the unseen have the last.

    The pools do not depend on the window, else mixing in more drift could lower the statistic. Nor do they depend on the
    order of the baseline's counts: the levels that happened to be rarest in the baseline are commoner in the next sample, and a pool made of
    them would drift although nothing does. So rare levels are drawn in a scattered order, until a pool holds twice `least`.

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
    pool = np.cumsum(common) - 1
    if len(rare):
        rare = rare[np.argsort((rare.astype(np.uint64) * _SCATTER) & _LOW_BITS, kind="stable")]
        filled = np.floor(np.cumsum(fractions[rare]) / (2 * least))
        _, pool[rare] = np.unique(np.minimum(filled, filled[-1:]), return_inverse=True)
        pool[rare] += int(common.sum())
    pool[unseen] = pool.max() + 1 if unseen.any() else 0
    return pool.astype(np.int64)


class Contingency:
    """Two samples as a 2 x pools table, with all that a test of homogeneity needs.

    Parameters
    ----------
    baseline, window : ndarray of int, shape (n_cells,)
        Rows per cell, in any order; an empty sample raises `EmptySampleError`.
    design_effect : float
        How many rows count as one independent row, at least 1: pools are larger by this factor.

    Attributes
    ----------
    rows : tuple of int
        Of the baseline and of the window.
    baseline, window, together : ndarray of float, shape (n_pools,)
        Fraction of the rows in each used pool: of the baseline, of the window, of both as one sample.
    floored : ndarray of float, shape (n_pools,)
        `together`, but a sparse pool counts as if it expected `MINIMUM_EXPECTED_ROWS`.
    sparse : ndarray of bool, shape (n_pools,)
        Pools for which the baseline alone expects fewer rows than that: the unseen, and the rest of the rare levels.

    >>> Contingency(np.array([50, 50, 0]), np.array([30, 60, 10])).sparse.tolist()
    [False, False, True]
    """

    def __init__(self, baseline: Counts, window: Counts, *, design_effect: float = 1.0) -> None:
        n, m = self.rows = sizes(baseline, window)
        least = MINIMUM_EXPECTED_ROWS * design_effect / min(n, m)
        pool = pools(baseline, least)
        b, w = np.bincount(pool, baseline), np.bincount(pool, window)
        self.window: Floats = w / m
        self.sparse = b / n < least
        rare = np.arange(len(b)) >= np.count_nonzero(baseline / n >= least)
        self.baseline = _expected(b / n, self.window, rare=rare, once=np.count_nonzero(baseline == 1) / (n + 1))
        self.together: Floats = (n * self.baseline + m * self.window) / (n + m)
        self._keep(self.together > 0)
        self.floored: Floats = np.where(self.sparse, np.maximum(self.together, least), self.together)

    @property
    def degrees(self) -> int:
        """Degrees of freedom: pools in use minus one."""
        return len(self.together) - 1

    @property
    def pearson_terms(self) -> Floats:
        """Each pool's share of Pearson's statistic."""
        n, m = self.rows
        return np.asarray((self.window - self.baseline) ** 2 / self.floored * (n * m / (n + m)), np.float64)

    def _keep(self, used: Any) -> None:
        self.baseline, self.window = self.baseline[used], self.window[used]
        self.together, self.sparse = self.together[used], self.sparse[used]


def _expected(seen: Floats, window: Floats, *, rare: Any, once: float) -> Floats:
    """The baseline's fractions, where a long tail of rare levels gives a part to levels not seen yet.

    In more rows like its own, a sample expects as many rows with new levels as it has rows whose level occurs once: Good
    (1953), Biometrika 40, 237. These rows are taken from its rare levels. They are expected only as far as the window has such rows.
    """
    unseen, shown = rare & (seen == 0), rare & (seen > 0)
    owed = min(once, float(window[unseen].sum()))
    if not owed:
        return seen
    kept = 1 - owed / float(seen[shown].sum())
    return np.where(unseen, owed, np.where(shown, seen * kept, seen))
