"""Sums of the values in each cell as whole numbers, so that adding them is exact in any order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kedge.arrays import Floats, Ints

# A unit is the range, rounded up to a power of two, over 2**24; beyond 2**10 ranges values count as that far. So half a
# billion rows in one cell stay below 2**63, however far away they are.
_UNITS_PER_RANGE_EXPONENT, _RANGES_EXPONENT = 24, 10
_FARTHEST = 2.0 ** (_UNITS_PER_RANGE_EXPONENT + _RANGES_EXPONENT)
_LARGEST = float(np.finfo(np.float64).max)
# Sums up to this many units are still exact as floats.
_EXACT_ROWS = 2**18


@dataclass(frozen=True)
class SumGrid:
    """The whole numbers that stand for a column's values: units above the low end of the baseline's range.

    Rounding to a unit moves a value by at most 3e-8 of the range.

    Attributes
    ----------
    low : float
        The baseline's smallest value, or the edge just below it.
    high : float
        The baseline's largest value.
    """

    low: float
    high: float

    @cached_property
    def unit(self) -> float:
        """Size of a unit, a power of two: multiplying by its inverse rounds nothing."""
        # A column of one value has no range, so its own size stands for it.
        is_constant = np.nextafter(self.low, np.inf) >= self.high
        span = (abs(self.high) or 1.0) if is_constant else self.high - self.low
        exponent = int(np.clip(np.frexp(span)[1], -998, 1023)) if np.isfinite(span) else 1023
        return float(np.ldexp(1.0, exponent - _UNITS_PER_RANGE_EXPONENT))

    @cached_property
    def _is_endless(self) -> bool:
        """Whether the range is too wide for a float, so that a value within it may be infinitely far from `low`."""
        return not np.isfinite(self.high - self.low)

    def units(self, values: Floats, *, far: bool = True) -> Floats:
        """Whole units of each value, as floats.

        Parameters
        ----------
        values : ndarray of float, shape (n_rows,)
        far : bool
            Whether any may lie outside the baseline's range.

        >>> SumGrid(0.0, 1.0).units(np.array([0.5, 1e300, -np.inf])).tolist()
        [4194304.0, 17179869184.0, -17179869184.0]
        """
        with np.errstate(over="ignore"):
            units = values - self.low
            units *= 1.0 / self.unit
        if far or self._is_endless:
            np.clip(units, -_FARTHEST, _FARTHEST, out=units)
        return np.asarray(np.rint(units, out=units))

    def sums(self, places: Ints, values: Floats, size: int, *, far: bool = True) -> Ints:
        """Units per place.

        Parameters
        ----------
        places : ndarray of int, shape (n_rows,)
            Place of each value, below `size`.
        values : ndarray of float, shape (n_rows,)
            None of them NaN.
        far : bool
            Whether any may lie outside the baseline's range.

        >>> SumGrid(0.0, 1.0).sums(np.array([0, 2, 2]), np.array([0.0, 0.5, 1.0]), 3).tolist()
        [0, 0, 12582912]
        """
        total = np.zeros(size, np.int64)
        for start in range(0, len(values), _EXACT_ROWS):
            part = slice(start, start + _EXACT_ROWS)
            total += np.bincount(places[part], self.units(values[part], far=far), size).astype(np.int64)
        return total

    def means(self, rows: Ints, sums: Ints, edges: Floats) -> Floats:
        """Mean of the values in each cell, NaN where there are none.

        Parameters
        ----------
        rows, sums : ndarray of int, shape (n_cells,)
        edges : ndarray of float, shape (n_cells - 1,)
            A mean cannot lie outside its cell.

        >>> SumGrid(0.0, 1.0).means(np.array([0, 2]), np.array([0, 12582912]), np.array([0.25])).tolist()
        [nan, 0.75]
        """
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.divide(sums, rows, out=np.full(len(rows), np.nan), where=rows > 0)
            found = found * self.unit + self.low
        return np.asarray(np.clip(found, np.append(-_LARGEST, edges), np.append(edges, _LARGEST)))
