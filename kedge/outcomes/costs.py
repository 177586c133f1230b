"""What wrong answers cost: sums that add, from a matrix of classes or from a column of amounts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from kedge.arrays import Floats, Ints
from kedge.intervals import Estimate, mean_interval, normal_interval


@dataclass(frozen=True)
class CostSums:
    """Sums over rows of the cost and of the highest possible cost.

    Attributes
    ----------
    rows : int
    lost, staked : float
        Cost of the answers | cost of the costliest answers.
    lost_squared, staked_squared, product : float
        Sums of lost^2, staked^2 and lost * staked.
    """

    rows: int = 0
    lost: float = 0.0
    staked: float = 0.0
    lost_squared: float = 0.0
    staked_squared: float = 0.0
    product: float = 0.0

    def __add__(self, other: CostSums) -> CostSums:
        return CostSums(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def metrics(self, z: float, *, bounded: bool) -> dict[str, Estimate]:
        """`cost_per_thousand` predictions, and if `bounded` by its stake also `cost_adjusted_accuracy`.

        The second is 1 - lost / staked, accuracy with each row weighed by its value (Bahnsen et al. 2015,
        Expert Systems with Applications 42, 6609, call it savings); its error is that of a ratio of means
        (Cochran 1977, Sampling Techniques, 2.11).

        >>> sums = sums_of(np.array([0.0, 30.0]), np.array([10.0, 30.0]))
        >>> found = sums.metrics(1.96, bounded=True)
        >>> found["cost_per_thousand"].value, found["cost_adjusted_accuracy"].value
        (15000.0, 0.25)
        """
        if self.rows == 0:
            return {}
        mean = mean_interval("cost_per_thousand", 1e3 * self.lost, 1e6 * self.lost_squared, self.rows, z)
        found = {mean.name: mean}
        if bounded and self.staked > 0:
            ratio = self.lost / self.staked
            squares = self.lost_squared - 2 * ratio * self.product + ratio**2 * self.staked_squared
            name, error = "cost_adjusted_accuracy", math.sqrt(max(squares, 0.0)) / self.staked
            found[name] = normal_interval(name, 1 - ratio, error, z, ceiling=1.0)
        return found


def sums_of(lost: Floats, staked: Floats) -> CostSums:
    """Add up each row's cost and its highest possible cost."""
    return CostSums(
        len(lost),
        float(lost.sum()),
        float(staked.sum()),
        float(lost @ lost),
        float(staked @ staked),
        float(lost @ staked),
    )


def matrix_sums(confusion: Ints, matrix: tuple[tuple[float, ...], ...]) -> CostSums:
    """The sums of a cost matrix, from counts alone.

    Parameters
    ----------
    confusion : ndarray of int, shape (n_classes, n_classes)
        Rows by class that came true, then by class answered.
    matrix : tuple of tuples of float
        Cost of each such row; negative is a gain.

    >>> matrix_sums(np.array([[90, 5], [2, 3]]), ((0.0, 1.0), (10.0, 0.0))).lost
    25.0
    """
    each = np.array(matrix, np.float64)
    worst = np.broadcast_to(each.max(axis=1, keepdims=True), each.shape)
    products = ((confusion * by).sum() for by in (each, worst, each**2, worst**2, each * worst))
    return CostSums(int(confusion.sum()), *(float(total) for total in products))
