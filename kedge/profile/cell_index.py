"""Which cell a number lies in, found at the cost of a few array passes rather than of a search per value."""

from __future__ import annotations

import numpy as np

from kedge.arrays import Floats, Ints

# Beyond these fractions of the edges on either side, values share one bucket and are searched for.
_OUTER_FRACTION = 0.01
_BUCKETS_MIN, _BUCKETS_MAX, _BUCKETS_PER_EDGE = 2**16, 2**19, 4
# Steps up the edges; what has not arrived by then lies where edges are dense.
_STEPS = 4
# Dense stretches with this many edges get tables of their own, to this depth.
_DEPTH, _DENSE_FRACTION = 3, 1 / 16
_WHOLE = np.float64(2.0**52)
_WHOLE_BITS = int(_WHOLE.view(np.int64))
# From this fraction of values that are not at their cell yet, all are looked at again.
_MANY = 1 / 8


class CellIndex:
    """A table over equal buckets that says how many edges certainly lie below the values of each.

    The bucket of a value grows with the value, whatever rounding does. So every edge in a lower bucket is smaller, and
    the way from there up to the value's cell is a few steps: as a rule none or one.

    >>> CellIndex(np.array([1.0, 2.0, 2.0, 9.0])).cells_of(np.array([0.5, 1.0, 1.5, 2.0, 9.5])).tolist()
    [0, 0, 1, 1, 4]
    """

    def __init__(self, edges: Floats, *, depth: int = _DEPTH) -> None:
        outer = int(len(edges) * _OUTER_FRACTION) if depth == _DEPTH else 0
        low, high = float(edges[outer]), float(edges[-1 - outer])
        wanted = 1 << (len(edges) * _BUCKETS_PER_EDGE - 1).bit_length()
        self._next = np.append(edges, np.inf)
        self._edges, self._last = self._next[:-1], min(max(wanted, _BUCKETS_MIN), _BUCKETS_MAX) - 1
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            scale = np.divide(self._last - 1, high / 2 - low / 2) / 2
            self._shift = 1 - low * scale + _WHOLE
        # Where a range has no scale, each value is searched for.
        self._scale = float(scale) if 0 < scale < np.inf and np.isfinite(self._shift) else 0.0
        if self._scale:
            self._tabulate(depth)

    def _tabulate(self, depth: int) -> None:
        edges = self._edges
        buckets = np.clip(self._buckets(edges), 0, self._last)
        rows = np.bincount(buckets, minlength=self._last + 1)
        below = np.cumsum(rows) - rows
        # Buckets that hold an edge are told by their sign: the values of the others need no second look.
        self._below = np.where(rows > 0, ~below, below).astype(np.int16 if len(edges) < 2**15 else np.int32)
        # A stretch where a bucket holds more edges than steps are taken has a table of its own.
        crowded = (rows[buckets] > _STEPS) & (buckets > 0) & (buckets < self._last)
        dense = np.flatnonzero(crowded)
        zoom = depth > 1 and len(dense) > len(edges) * _DENSE_FRACTION
        self._from, self._to = (int(dense[0]), int(dense[-1]) + 1) if zoom else (0, 0)
        self._inner = CellIndex(edges[self._from : self._to], depth=depth - 1) if zoom else None

    def cells_of(self, values: Floats) -> Ints:
        """Number of edges below each value.

        Parameters
        ----------
        values : ndarray of float, shape (n_rows,)
            None of them NaN.
        """
        if not self._scale:
            return np.searchsorted(self._edges, values, side="left").astype(np.int64)
        cells = self._below.take(self._buckets(values), mode="clip").astype(np.int64)
        away = np.flatnonzero(cells < 0)
        if len(away) > len(values) * _MANY:
            # As where whole numbers or zeros have cells of their own: looking at all is faster than at some.
            cells ^= cells >> 63
            cells += values > self._next[cells]
            away = np.flatnonzero(values > self._next[cells])
        else:
            cells[away] = ~cells[away]
            away = away[values[away] > self._next[cells[away]]]
        for _ in range(_STEPS):
            if not len(away):
                return cells
            cells[away] += 1
            away = away[values[away] > self._next[cells[away]]]
        cells[away] = self._searched(values[away])
        return cells

    def _searched(self, values: Floats) -> Ints:
        if self._inner is None:
            return np.searchsorted(self._edges, values, side="left").astype(np.int64)
        # The inner table knows its own edges only, so what lies outside them is searched for.
        found = self._inner.cells_of(values) + self._from
        outside = np.flatnonzero((found == self._from) | (found == self._to))
        found[outside] = np.searchsorted(self._edges, values[outside], side="left")
        return found

    def _buckets(self, values: Floats) -> Ints:
        """Bucket of each value, as yet unclipped.

        Floats are ordered as their bits are, and those from 2**52 on are whole: so the bits, less those of 2**52, are a
        whole number that grows with the value, from the smallest float to the largest, without any conversion.
        """
        with np.errstate(over="ignore"):
            place = values * self._scale
            place += self._shift
        # The bits of negative floats fall as they grow.
        np.maximum(place, 0.0, out=place)
        buckets = place.view(np.int64)
        buckets -= _WHOLE_BITS
        return np.asarray(buckets)
