"""Counts over frozen cells: a baseline's ruler, and the profiles that are cut with it and add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.binning import (
    COUNTERS,
    INFINITE,
    MISSING,
    UNPARSABLE,
    UNSEEN,
    Bins,
    category_levels,
    count_cells,
    numeric_edges,
    positions,
)
from kedge.columns import Column, cast_numbers, cast_text, columns_of
from kedge.errors import BaselineMismatchError, ColumnAbsentError

__all__ = [
    "Baseline", "Bins", "ColumnCounts", "Profile", "columns_of", "count_rows", "count_rows_by_hour", "freeze_baseline",
]  # fmt: skip

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ColumnCounts:
    """One column's share of a profile.

    Attributes
    ----------
    cells : ndarray of int, shape (n_cells,)
        Rows per cell.
    missing, unparsable, infinite, unseen, out_of_range : int
        Rows without a value, with text where a number belongs, infinite, of a level that the baseline does not
        have, and (also in the outer cells) beyond the baseline's smallest or largest value.
    """

    cells: Ints
    missing: int
    unparsable: int
    infinite: int
    unseen: int
    out_of_range: int

    @property
    def rows(self) -> int:
        """All rows, with or without a value."""
        return int(self.cells.sum()) + self.missing + self.unparsable + self.infinite + self.unseen

    @property
    def with_unseen(self) -> Ints:
        """Rows per cell with one more cell for the unseen."""
        return np.append(self.cells, self.unseen)


@dataclass(frozen=True, eq=False)
class Profile:
    """Rows per cell of every column, in one vector whose layout is the baseline's.

    Adding is exact, associative and commutative: hour + hour = day, file + file = hour.
    """

    baseline: str
    rows: int
    counts: Ints

    def __add__(self, other: Profile) -> Profile:
        if self.baseline != other.baseline or len(self.counts) != len(other.counts):
            raise BaselineMismatchError(expected=self.baseline, found=other.baseline)
        return Profile(self.baseline, self.rows + other.rows, self.counts + other.counts)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Profile)
            and (self.baseline, self.rows) == (other.baseline, other.rows)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]  # equality is by content, and the content is an array


@dataclass(frozen=True, eq=False)
class Baseline:
    """What a model was trained on, as frozen cells with the baseline's own rows counted in them.

    Attributes
    ----------
    bins : mapping of str to Bins
    profile : Profile
        Features: the training rows. Prediction: rows that the model has not trained on, so the two
        columns' row counts differ.
    created_from : mapping of str to str
        Where the rows came from, for people.
    """

    model: str
    baseline: str
    columns: tuple[Column, ...]
    bins: Mapping[str, Bins]
    profile: Profile
    created_from: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """First position of each column in a profile's vector."""
        sizes = [self.bins[column.name].cells + COUNTERS for column in self.columns]
        starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        return {column.name: start for column, start in zip(self.columns, starts, strict=False)}

    @cached_property
    def width(self) -> int:
        """Length of a profile's vector."""
        return sum(self.bins[column.name].cells + COUNTERS for column in self.columns)

    def empty(self) -> Profile:
        """A profile of no rows."""
        return Profile(self.baseline, 0, np.zeros(self.width, np.int64))

    def column(self, profile: Profile, name: str) -> ColumnCounts:
        """One column's counts in a profile of this baseline."""
        if profile.baseline != self.baseline or len(profile.counts) != self.width:
            raise BaselineMismatchError(expected=self.baseline, found=profile.baseline)
        start, cells = self.offsets[name], self.bins[name].cells
        found = profile.counts[start : start + cells]
        counters = profile.counts[start + cells : start + cells + COUNTERS].tolist()
        outside = int(found[0] + found[-1]) if len(self.bins[name].edges) else 0
        return ColumnCounts(
            found, counters[MISSING], counters[UNPARSABLE], counters[INFINITE], counters[UNSEEN], outside
        )


def freeze_baseline(
    model: str,
    baseline: str,
    columns: tuple[Column, ...],
    features: pa.Table,
    predictions: pa.Table,
    *,
    maximum_edges: int = 1000,
    maximum_levels: int = 10_000,
    created_from: Mapping[str, str] | None = None,
) -> Baseline:
    """Freeze each column's cells and count the baseline's own rows in them.

    Numeric: about `maximum_edges` quantiles, plus both sides of every value that at least one row in `maximum_edges`
    shares; where there are few distinct values each has a cell of its own, and KS is exact. Categorical: every level.

    Parameters
    ----------
    features : Table
        The training rows.
    predictions : Table
        Answers to rows that the model has not trained on; its column is the prediction's name.

    Raises
    ------
    ColumnAbsentError, EmptySampleError
    """
    bins = {}
    for column in columns:
        table = features if column.role == "feature" else predictions
        values = _column(table, column.name)
        bins[column.name] = (
            Bins(
                edges=numeric_edges(
                    cast_numbers(values, column.dtype).values, maximum=maximum_edges, column=column.name
                )
            )
            if column.kind == "numeric"
            else Bins(levels=category_levels(cast_text(values), maximum=maximum_levels))
        )
    ruler = Baseline(model, baseline, columns, bins, Profile(baseline, 0, np.empty(0, np.int64)))
    counts = _count(ruler, features, "feature") + _count(ruler, predictions, "prediction")
    profile = Profile(baseline, features.num_rows, counts)
    return Baseline(model, baseline, columns, bins, profile, dict(created_from or {}))


def count_rows(baseline: Baseline, table: pa.Table) -> Profile:
    """Count rows in the baseline's cells.

    Parameters
    ----------
    table : Table
        Every column of the baseline, as text or numbers; each is cast to its declared dtype first.
    """
    return Profile(baseline.baseline, table.num_rows, _count(baseline, table, None))


def count_rows_by_hour(baseline: Baseline, table: pa.Table, hours: Ints) -> dict[int, Profile]:
    """Count rows apart by their hour, at the cost of counting them once.

    Parameters
    ----------
    hours : ndarray of int, shape (n_rows,)
        Hour of each row, 0 to 23.
    """
    found, code = np.unique(hours, return_inverse=True)
    vectors = np.zeros((len(found), baseline.width), np.int64)
    for column in baseline.columns:
        bins, start = baseline.bins[column.name], baseline.offsets[column.name]
        size = bins.cells + COUNTERS
        places = positions(bins, column, _column(table, column.name)) + code * size
        counts = np.bincount(places, minlength=len(found) * size)
        vectors[:, start : start + size] = counts.reshape(len(found), size)
    rows = np.bincount(code, minlength=len(found)).tolist()
    return {int(hour): Profile(baseline.baseline, rows[i], vectors[i]) for i, hour in enumerate(found)}


def _count(ruler: Baseline, table: pa.Table, role: str | None) -> Ints:
    """The columns of one role, or all, counted into a profile's vector."""
    counts = np.zeros(ruler.width, np.int64)
    for column in ruler.columns:
        if role is None or column.role == role:
            found = count_cells(ruler.bins[column.name], column, _column(table, column.name))
            start = ruler.offsets[column.name]
            counts[start : start + len(found)] = found
    return counts


def _column(table: pa.Table, name: str) -> Any:
    if name not in table.column_names:
        raise ColumnAbsentError(column=name, found=table.column_names)
    return table.column(name)
