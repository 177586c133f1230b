"""Every statistic of one column from its counts, with what chance alone would show at these sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kedge.binning import Bins
from kedge.cells import cell_values, coarse_starts, coarsen
from kedge.statistics import DISTANCES
from kedge.statistics.chi_square import chi_square, total_variation_certain
from kedge.statistics.kolmogorov_smirnov import ks_critical, ks_p_value, ks_statistic, ks_without_drift
from kedge.statistics.psi import psi_without_drift
from kedge.statistics.total_variation import total_variation_without_drift
from kedge.statistics.wasserstein import wasserstein_distance

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """What one column shows; nothing is judged yet.

    Attributes
    ----------
    statistics : mapping of str to float
        By DESIGN.md's names; what does not apply is absent.
    p_value : float
        Of KS or chi-square, not corrected for the other columns.
    effect : float
        KS statistic or total variation, 0 to 1.
    effect_without_drift : float
        What these sizes show on average when nothing has moved.
    certain_effect : float
        The effect at and beyond which the p-value is certainly below the one asked for.
    psi_excess : float
        PSI less what these sizes show without drift.
    """

    statistics: Mapping[str, float]
    p_value: float
    effect: float
    effect_without_drift: float
    certain_effect: float
    psi_excess: float


def measure_numeric(bins: Bins, before: Ints, now: Ints, *, p_value_min: float) -> Measured:
    """Measure a numeric column: KS and Wasserstein on the fine cells, the others on ten neighbourhoods.

    Parameters
    ----------
    before, now : ndarray of int, shape (n_cells,)
        Rows per cell of `bins`, neither of them empty.
    p_value_min : float
        The level that `certain_effect` is for.

    >>> found = measure_numeric(Bins(edges=np.array([1.0])), np.array([50, 50]), np.array([20, 80]), p_value_min=0.05)
    >>> found.effect, found.statistics["ks_statistic"]
    (0.3, 0.3)
    """
    starts = coarse_starts(before)
    b, w = coarsen(before, starts), coarsen(now, starts)
    rows = int(before.sum()), int(now.sum())
    statistic = ks_statistic(before, now)
    p_value = ks_p_value(statistic, *rows)
    statistics = {name: function(b, w) for name, function in DISTANCES.items()} | {
        "ks_statistic": statistic,
        "ks_p_value": p_value,
        "wasserstein_distance": wasserstein_distance(before, now, cell_values(bins)),
    }
    return Measured(
        # Values near the largest float are too far apart for a distance.
        {name: value for name, value in statistics.items() if np.isfinite(value)},
        p_value,
        statistic,
        # A KS statistic is at most the total variation, and so is its mean: for few values that is the tighter bound.
        min(ks_without_drift(*rows), total_variation_without_drift(before, now)),
        ks_critical(p_value_min, *rows),
        statistics["psi"] - psi_without_drift(b, w),
    )


def measure_categorical(before: Ints, now: Ints, *, p_value_min: float) -> Measured:
    """Measure a categorical column.

    Parameters
    ----------
    before, now : ndarray of int, shape (n_levels,)
        Rows per level, the unseen among them, neither of them empty.
    p_value_min : float
        The level that `certain_effect` is for.

    >>> round(measure_categorical(np.array([50, 50]), np.array([20, 80]), p_value_min=0.05).effect, 6)
    0.3
    """
    statistics = {name: function(before, now) for name, function in DISTANCES.items()}
    statistic, p_value = chi_square(before, now)
    used = int(np.count_nonzero(before + now))
    return Measured(
        statistics | {"chi_square_statistic": statistic, "chi_square_p_value": p_value},
        p_value,
        statistics["total_variation_distance"],
        total_variation_without_drift(before, now),
        total_variation_certain(used, p_value_min, float(before.sum()), float(now.sum())),
        statistics["psi"] - psi_without_drift(before, now),
    )
