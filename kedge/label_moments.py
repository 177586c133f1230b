"""Moments of a regression's truth about its own mean, which add without losing digits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelMoments:
    """Sums over rows of powers of the truth y about its mean, alone and with the squared errors e^2.

    Attributes
    ----------
    rows : int
    mean : float
        Of y.
    squares, cubes, fourths : float
        Sums of (y - mean) to the second, third and fourth.
    errors : float
        Sum of e^2.
    errors_by_label, errors_by_square : float
        Sums of e^2 (y - mean) and of e^2 (y - mean)^2.
    """

    rows: int = 0
    mean: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0
    fourths: float = 0.0
    errors: float = 0.0
    errors_by_label: float = 0.0
    errors_by_square: float = 0.0

    def __add__(self, other: LabelMoments) -> LabelMoments:
        rows = self.rows + other.rows
        if rows == 0:
            return self
        mean = self.mean + (other.mean - self.mean) * other.rows / rows
        one, two = self._about(mean), other._about(mean)
        return LabelMoments(rows, mean, *(a + b for a, b in zip(one, two, strict=True)))

    def _about(self, mean: float) -> tuple[float, ...]:
        """The sums about another mean: Pebay (2008), Sandia report SAND2008-6212, equation 2.1."""
        d, n = self.mean - mean, self.rows
        dd = d * d  # a power would raise where this only overflows
        return (
            self.squares + n * dd,
            self.cubes + 3 * d * self.squares + n * dd * d,
            self.fourths + 4 * d * self.cubes + 6 * dd * self.squares + n * dd * dd,
            self.errors,
            self.errors_by_label + d * self.errors,
            self.errors_by_square + 2 * d * self.errors_by_label + dd * self.errors,
        )

    def r2(self, squared_error: float, squared_error_squared: float) -> tuple[float, float]:
        """1 - sum e^2 / sum (y - mean)^2, and its error by the delta method on the two means.

        With R their ratio and v the variance of y, a row moves R by (e^2 - R (y - mean)^2) / v.

        >>> errors = np.array([0.0, 1.0, 0.0, 1.0])
        >>> moments_of(np.array([1.0, 2.0, 3.0, 4.0]), errors).r2(2.0, 2.0)[0]
        0.6
        """
        ratio = squared_error / self.squares
        spread = squared_error_squared - 2 * ratio * self.errors_by_square + ratio * ratio * self.fourths
        return 1 - ratio, math.sqrt(max(spread, 0.0)) / self.squares


def moments_of(labels: Floats, squared_errors: Floats) -> LabelMoments:
    """The moments of rows.

    >>> moments_of(np.array([1.0, 3.0]), np.array([4.0, 0.0])).errors_by_label
    -4.0
    """
    mean = float(labels.mean())
    about = labels - mean
    squares = about**2
    sums = (squares, squares * about, squares**2, squared_errors, squared_errors * about, squared_errors * squares)
    return LabelMoments(len(labels), mean, *(float(values.sum()) for values in sums))
