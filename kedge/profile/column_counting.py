"""One column's rows counted in its cells, with what has no cell, the sums of a number's cells, and the few values that many rows share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints
from kedge.columns.ages import RowTimes, ages_in_days
from kedge.columns.casting import Column, Numbers, cast_numbers
from kedge.profile.bins import COUNTERS, INFINITE, MISSING, UNPARSABLE, UNSEEN, Bins
from kedge.profile.levels import Places, boolean_cells, level_cells

# Tried on the first rows only: most columns that are not whole are found out by these.
_SCALES, _HEAD_ROWS = np.array([[1.0], [10.0], [100.0], [1000.0]]), 64
_SPAN = 2**18
_COMMON_FRACTION = 0.25
_LARGEST_WHOLE = 2.0**52
# From here on, setting up the table of edges costs less than searching for each value.
_INDEXED_ROWS = 4096
# This many values, with all results for them, stay in the processor's cache.
_STRETCH_ROWS = 32_768


def few_values(values: Floats) -> tuple[Floats, Ints] | None:
    """The different values and the rows of each; None where they are not multiples of 0.001 or lie far apart.

    Counting whole numbers is several times as fast as finding each value's cell, and what is measured in the world is
    mostly written with few decimals.

    Parameters
    ----------
    values : ndarray of float, shape (n_rows,)
        All of them finite.

    >>> [part.tolist() for part in few_values(np.array([0.5, 0.1, 0.5, -0.0, 0.2] * 2))]
    [[0.0, 0.1, 0.2, 0.5], [2, 2, 2, 4]]
    >>> few_values(np.array([0.5, 1 / 3])) is None
    True
    """
    head = values[:_HEAD_ROWS]
    with np.errstate(over="ignore"):
        fits = (np.rint(head * _SCALES) / _SCALES == head).all(axis=1)
    if not len(values) or not fits.any():
        return None
    scale = float(_SCALES[fits.argmax(), 0])
    with np.errstate(over="ignore"):
        whole = np.rint(values * scale)
    low, high = float(whole.min()), float(whole.max())
    is_close = high - low < min(_SPAN, 2 * len(values)) and max(abs(low), abs(high)) < _LARGEST_WHOLE
    # Only if every value comes back bit for bit do the whole numbers stand for them.
    if not is_close or not (whole / scale == values).all():
        return None
    whole -= low
    rows = np.bincount(whole.astype(np.int64))
    used = np.flatnonzero(rows)
    return np.asarray((used + low) / scale, np.float64), rows[used].astype(np.int64)


def common_value(values: Floats) -> float | None:
    """A value that many rows share, as the zeros of sales or rainfall do, by the first rows; None where there is none.

    >>> common_value(np.array([0.0, 0.0, 7.1, 0.0])), common_value(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) is None
    (0.0, True)
    """
    head = np.sort(values[:_HEAD_ROWS])
    apart = int(len(head) * _COMMON_FRACTION)
    repeated = np.flatnonzero(head[apart:] == head[: len(head) - apart]) if apart else head[:0]
    return float(head[repeated[0]]) if len(repeated) else None


def count_cells(bins: Bins, column: Column, table: pa.Table, times: RowTimes = None) -> Ints:
    """One column's share of a profile's vector: rows per cell, its counters, and the sums of a number's cells.

    Parameters
    ----------
    times : str, mapping or None
        What a timestamp's age is counted from: see `kedge.columns.ages`.

    >>> carrier = Column("x", "feature", "categorical", "string")
    >>> count_cells(Bins(levels=("a", "b")), carrier, pa.table({"x": ["b", None, "c"]}))
    array([0, 1, 1, 0, 0, 1])
    """
    return np.asarray(count_cells_by_code(bins, column, table, None, groups=1, times=times)[0])


def count_cells_by_code(
    bins: Bins, column: Column, table: pa.Table, codes: Ints | None, *, groups: int, times: RowTimes = None
) -> Ints:
    """The same for each of several groups of rows, at about the cost of counting them once.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows,), optional
        Group of each row, 0 to `groups` - 1; None where there is one group.

    Returns
    -------
    ndarray of int, shape (groups, bins.width)
    """
    if column.is_number:
        return _count_numbers(bins, _numbers(column, table, times), codes, groups)
    size = bins.cells + COUNTERS
    found = _levels(bins, column, table.column(column.name))
    if codes is None:
        return found.counts(size)[None]
    return np.bincount(found.of_rows() + codes * size, minlength=groups * size).reshape(groups, size)


@dataclass(frozen=True, eq=False)
class RowCells:
    """Where each row of a column belongs.

    Attributes
    ----------
    places : ndarray of int, shape (n_rows,)
        Position in the column's share of a profile's vector: a cell, or the counter of what has no cell.
    values : ndarray of float, shape (n_rows,), or None
        Of a number, for the sums of its cells: what has no cell adds nothing. None of a category.
    """

    places: Ints
    values: Floats | None = None

    def part(self, rows: slice) -> RowCells:
        """Some of the rows."""
        return RowCells(self.places[rows], None if self.values is None else self.values[rows])

    def counts(self, bins: Bins) -> Ints:
        """What `count_cells` gives of the same rows."""
        size = bins.cells + COUNTERS
        rows = np.bincount(self.places, minlength=size)
        if self.values is None:
            return rows
        return np.concatenate([rows, bins.grid.sums(self.places, self.values, size)[: bins.cells]])


def row_cells(bins: Bins, column: Column, table: pa.Table, times: RowTimes = None) -> RowCells:
    """Where each row belongs, for rows that are counted in more than one way.

    >>> column = Column("x", "feature", "numeric", "float64")
    >>> row_cells(Bins(edges=np.array([1.0, 2.0])), column, pa.table({"x": [0.5, 2.0, None]})).places.tolist()
    [0, 1, 3]
    """
    if not column.is_number:
        return RowCells(_levels(bins, column, table.column(column.name)).of_rows())
    numbers = _numbers(column, table, times)
    values, finite = numbers.values, np.isfinite(numbers.values)
    if finite.all():
        return RowCells(_cells(bins, values, indexed=len(values) >= _INDEXED_ROWS), values)
    places = np.full(len(values), bins.cells + MISSING, np.int64)
    places[numbers.unparsable] = bins.cells + UNPARSABLE
    places[np.isinf(values)] = bins.cells + INFINITE
    places[finite] = _cells(bins, values[finite], indexed=len(values) >= _INDEXED_ROWS)
    return RowCells(places, np.where(finite, values, bins.grid.low))


def _cells(bins: Bins, values: Floats, *, indexed: bool) -> Ints:
    return bins.index.cells_of(values) if indexed else np.searchsorted(bins.edges, values).astype(np.int64)


def _count_numbers(bins: Bins, numbers: Numbers, codes: Ints | None, groups: int) -> Ints:
    rows, size = len(numbers.values), bins.cells + COUNTERS
    total = np.zeros((groups, bins.width), np.int64)
    # Where there are many cells, adding them up would cost more than a cache that overflows.
    stretch = max(_STRETCH_ROWS, 2 * groups * size)
    for start in range(0, rows, stretch):
        part = slice(start, start + stretch)
        values, group = numbers.values[part], None if codes is None else codes[part]
        finite = np.isfinite(values)
        if not finite.all():
            _count_odd(total[:, bins.cells : size], values, numbers.unparsable[part], group)
            values, group = values[finite], None if group is None else group[finite]
        if group is None and rows >= _INDEXED_ROWS:
            values = _add_shared(total[0], bins, values)
        _add_values(total, bins, values, group, indexed=rows >= _INDEXED_ROWS)
    return total


def _add_values(total: Ints, bins: Bins, values: Floats, group: Ints | None, *, indexed: bool) -> None:
    if not len(values):
        return
    places = _cells(bins, values, indexed=indexed)
    places = places if group is None else places + group * bins.cells
    shape = (len(total), bins.cells)
    counts = np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape)
    far = bool(counts[:, 0].any() or counts[:, -1].any())
    total[:, : bins.cells] += counts
    total[:, -bins.cells :] += bins.grid.sums(places, values, shape[0] * shape[1], far=far).reshape(shape)


def _add_shared(total: Ints, bins: Bins, values: Floats) -> Floats:
    """Count the values that many rows share, and return the others."""
    few = few_values(values)
    if few is not None:
        _add_few(total, bins, *few)
        return values[:0]
    common = common_value(values)
    if common is None:
        return values
    others: Floats = values[values != common]
    _add_few(total, bins, np.array([common]), np.array([len(values) - len(others)]))
    return others


def _add_few(total: Ints, bins: Bins, values: Floats, rows: Ints) -> None:
    """Each different value finds its cell once, for all its rows."""
    places = np.searchsorted(bins.edges, values)
    np.add.at(total, places, rows)
    np.add.at(total, bins.cells + COUNTERS + places, bins.grid.units(values).astype(np.int64) * rows)


def _count_odd(counters: Ints, values: Floats, unparsable: NDArray[np.bool_], group: Ints | None) -> None:
    """What is not finite has a counter, and no value that could be added up."""
    group = np.zeros(len(values), np.int64) if group is None else group
    found = {INFINITE: np.isinf(values), UNPARSABLE: unparsable, MISSING: np.isnan(values) & ~unparsable}
    for counter, rows in found.items():
        counters[:, counter] += np.bincount(group[rows], minlength=len(counters))


def _levels(bins: Bins, column: Column, values: Any) -> Places:
    missing, other = bins.cells + MISSING, bins.cells
    if column.kind == "boolean":
        return boolean_cells(values, missing=missing, other=other + UNPARSABLE)
    return level_cells(bins.level_array, bins.rare, values, missing=missing, other=other + UNSEEN)


def _numbers(column: Column, table: pa.Table, times: RowTimes) -> Numbers:
    if column.kind == "timestamp":
        return ages_in_days(table, column, times)
    return cast_numbers(table.column(column.name), column.dtype)
