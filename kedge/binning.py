"""How one column is cut into cells: quantile edges and atoms for numbers, levels for categories."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.columns import MISSING_WORDS, Column, cast_numbers, plain_array
from kedge.errors import EmptySampleError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Behind a column's cells stand the rows that have no cell.
MISSING, UNPARSABLE, INFINITE, UNSEEN = range(4)
COUNTERS = 4
# From here on, sorting the values and looking up the edges beats looking up each value.
_SORTED_ROWS = 4096


@dataclass(frozen=True)
class Bins:
    """How one column is cut: `edges` for numbers, `levels` for categories; the other is empty.

    Cell i of a numeric column holds edges[i-1] < x <= edges[i], so its first and last cells hold what lies outside
    the baseline's range. An atom v (a value that many rows share) has the edges nextafter(v, -inf) and v.
    """

    edges: Floats = field(default_factory=lambda: np.empty(0))
    levels: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        """Cells, the counters not among them."""
        return len(self.edges) + 1 if len(self.edges) else len(self.levels)

    @cached_property
    def level_array(self) -> Any:
        """The levels as Arrow wants them for looking up."""
        return pa.array(self.levels, pa.string())


def numeric_edges(values: Floats, *, maximum: int, column: str) -> Floats:
    """Edges of about `maximum` quantiles, and both sides of every value that at least one row in `maximum` shares.

    Where there are few distinct values each has a cell of its own, and the KS statistic is exact.

    Parameters
    ----------
    values : ndarray of float, shape (n_rows,)
        The baseline's values; what is not finite is left out. None left raises `EmptySampleError`.
    column : str
        Its name, for the error.

    >>> numeric_edges(np.array([1.0, 1.0, 2.0]), maximum=10, column="x").round(6).tolist()
    [1.0, 1.0, 2.0, 2.0]
    """
    finite = np.sort(values[np.isfinite(values)])
    if not len(finite):
        raise EmptySampleError(sample=f"baseline of column {column!r}")
    distinct, counts = np.unique(finite, return_counts=True)
    if len(distinct) <= maximum // 2:
        atoms, quantiles = distinct, distinct
    else:
        atoms = distinct[counts * maximum >= len(finite)]
        quantiles = finite[np.linspace(0, len(finite) - 1, maximum).astype(np.int64)]
    # The smallest value's lower side closes the range, so that cell 0 holds only what is below it.
    with np.errstate(over="ignore"):
        below = np.nextafter(np.append(atoms, distinct[0]), -np.inf)
    return np.unique(np.concatenate([quantiles, atoms, below[np.isfinite(below)]]))


def category_levels(text: Any, *, maximum: int) -> tuple[str, ...]:
    """The baseline's levels, the most frequent first, ties by name; those beyond `maximum` are left out.

    >>> category_levels(pa.array(["b", "a", "b", None]), maximum=10)
    ('b', 'a')
    """
    counts = pc.value_counts(text.drop_null()).to_pylist()
    ordered = sorted(counts, key=lambda level: (-level["counts"], level["values"]))
    return tuple(level["values"] for level in ordered[:maximum])


def count_cells(bins: Bins, column: Column, values: Any) -> Ints:
    """Rows per cell of one column, its counters behind them.

    >>> count_cells(Bins(levels=("a", "b")), Column("x", "feature", "categorical", "string"), pa.array(["b", None, "c"]))
    array([0, 1, 1, 0, 0, 1])
    """
    if column.kind == "categorical" or len(values) < _SORTED_ROWS:
        return np.bincount(positions(bins, column, values), minlength=bins.cells + COUNTERS)
    numbers = cast_numbers(values, column.dtype)
    finite = np.sort(numbers.values[np.isfinite(numbers.values)])
    counts = np.zeros(bins.cells + COUNTERS, np.int64)
    upto = np.concatenate([[0], np.searchsorted(finite, bins.edges, side="right"), [len(finite)]])
    counts[: bins.cells] = np.diff(upto)
    counts[bins.cells + INFINITE] = np.isinf(numbers.values).sum()
    counts[bins.cells + MISSING] = numbers.missing.sum()
    counts[bins.cells + UNPARSABLE] = numbers.unparsable.sum()
    return counts


def positions(bins: Bins, column: Column, values: Any) -> Ints:
    """Cell of each value; those without one get the position of their counter behind the cells.

    >>> positions(Bins(edges=np.array([1.0, 2.0])), Column("x", "feature", "numeric", "float64"), pa.array([2, 9, None]))
    array([1, 2, 3])
    """
    if column.kind == "categorical":
        return _level_positions(bins, values)
    numbers = cast_numbers(values, column.dtype)
    found = np.searchsorted(bins.edges, numbers.values, side="left").astype(np.int64)
    found[np.isinf(numbers.values)] = bins.cells + INFINITE
    found[numbers.missing] = bins.cells + MISSING
    found[numbers.unparsable] = bins.cells + UNPARSABLE
    return found


def _level_positions(bins: Bins, values: Any) -> Ints:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(array.type):
        # Each distinct text is looked up once; what has no code is missing.
        looked_up = np.append(_level_positions(bins, array.dictionary), bins.cells + MISSING)
        codes = array.indices.cast(pa.int64()).fill_null(len(looked_up) - 1)
        return np.asarray(looked_up[codes.to_numpy(zero_copy_only=False)])
    text = plain_array(array)
    text = text if pa.types.is_string(text.type) else text.cast(pa.string())
    found = pc.index_in(text, value_set=bins.level_array)
    if not found.null_count:
        return np.array(found.to_numpy(zero_copy_only=False), np.int64)
    places = np.array(found.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    lost = np.flatnonzero(places < 0)
    places[lost] = _lost_positions(bins, text.take(pa.array(lost)))
    return places


def _lost_positions(bins: Bins, text: Any) -> Ints:
    """Positions of texts that are no level as they stand: missing, a level in another spelling, or unseen."""
    distinct = text.dictionary_encode()
    booleans = bool(bins.levels) and {level.lower() for level in bins.levels} <= {"true", "false"}
    known = {level.lower() if booleans else level: i for i, level in enumerate(bins.levels)}
    found = []
    for word in distinct.dictionary.to_pylist():
        # Python writes True, JSON true; pandas writes 3 as 3.0 once a value of the column is missing.
        spelt = word.lower() if booleans else word.removesuffix(".0")
        found.append(bins.cells + MISSING if word in MISSING_WORDS else known.get(spelt, bins.cells + UNSEEN))
    found.append(bins.cells + MISSING)
    codes = distinct.indices.cast(pa.int64()).fill_null(len(found) - 1)
    return np.asarray(np.array(found, np.int64)[codes.to_numpy(zero_copy_only=False)])
