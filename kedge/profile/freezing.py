"""Baselines frozen from rows: in memory, or from files larger than it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Floats
from kedge.columns.ages import RowTimes, ages_in_days, newest_times
from kedge.columns.casting import Column, cast_numbers
from kedge.columns.row_batches import RowBatches, grouped
from kedge.errors import EmptySampleError
from kedge.profile.baseline import Baseline, Profile, side_by_side
from kedge.profile.bins import BOOLEAN_LEVELS, Bins
from kedge.profile.counting import add_columns, naming, require
from kedge.profile.levels import LevelCounts
from kedge.profile.row_sample import RowSample


@dataclass(frozen=True)
class Fineness:
    """How finely a baseline is cut.

    Attributes
    ----------
    maximum_edges, maximum_levels : int
        About how many quantiles cut a number, and how many levels of a category have a cell of their own.
    sample_rows : int
        Of how many rows the edges are found, where they are read as a stream. The seed is fixed: the same rows in the same batches
        give the same baseline.
    edges : mapping of str to ndarray
        Edges of numeric columns that are known as a histogram only: their values say which cell, and no more.
    """

    maximum_edges: int = 1000
    maximum_levels: int = 10_000
    sample_rows: int = 200_000
    edges: Mapping[str, Floats] = field(default_factory=dict)

    def bins(self, column: Column, table: pa.Table, levels: Mapping[str, LevelCounts], times: RowTimes) -> Bins:
        """The cells of one column."""
        if column.kind == "numeric" and column.name in self.edges:
            return Bins(edges=self.edges[column.name])
        if column.kind == "boolean":
            return Bins(levels=BOOLEAN_LEVELS)
        if column.kind == "categorical":
            names, rare = levels[column.name].ranked(self.maximum_levels)
            return Bins(levels=names, rare=rare)
        with naming(column.name):
            if column.kind == "timestamp":
                values = ages_in_days(table, column, times).values
            else:
                values = cast_numbers(table.column(column.name), column.dtype).values
        return Bins(edges=numeric_edges(values, maximum=self.maximum_edges, column=column.name))


FINE = Fineness()


def freeze_baseline(  # noqa: PLR0913  # two tables of rows; few callers give times or a fineness
    model: str,
    baseline: str,
    columns: tuple[Column, ...],
    features: pa.Table,
    predictions: pa.Table,
    *,
    times: RowTimes = None,
    fineness: Fineness = FINE,
) -> Baseline:
    """Freeze each column's cells and count the baseline's own rows in them.

    Numeric: about `fineness.maximum_edges` quantiles, plus both sides of every value that at least one row in as many
    shares; where there are few distinct values each has a cell of its own, and KS is exact. Categorical: the
    `fineness.maximum_levels` most frequent levels, and one cell for all the others.

    Parameters
    ----------
    features : Table
        The training rows.
    predictions : Table
        Answers to rows that the model has not trained on; its column is the prediction's name.
    times : str, mapping or None
        What a timestamp's age is counted from: see `kedge.profile.counting.count_rows`.

    Raises
    ------
    ColumnAbsentError, EmptySampleError, UncountableColumnError
    """
    bins, sides = {}, {"feature": features, "prediction": predictions}
    for column in columns:
        table = sides[column.role]
        require(column, table)
        levels = _level_counts((column,), [table])
        bins[column.name] = fineness.bins(column, table, levels, times)
    ruler = Baseline(model, baseline, columns, bins, Profile(baseline, features.num_rows, np.empty(0, np.int64)))
    counts = np.zeros(ruler.width, np.int64)
    for role, table in sides.items():
        add_columns(counts, ruler, table, [column for column in columns if column.role == role], times)
    profile = Profile(baseline, features.num_rows, counts)
    return replace(ruler, profile=profile)


def freeze_baseline_streaming(
    model: str,
    baseline: str,
    columns: tuple[Column, ...],
    batches: Callable[[], Iterable[Any]],
    *,
    times: RowTimes = None,
    fineness: Fineness = FINE,
) -> Baseline:
    """Freeze a baseline of rows that need not fit in memory; every column comes from the same rows.

    The first reading finds the levels and, for the edges, all values or a random sample of `fineness.sample_rows` rows; the
    second counts every row. Rows that fit in the sample are read once, and give what `freeze_baseline` gives.

    Parameters
    ----------
    batches : callable
        Gives all rows from the beginning, as tables or record batches.
    times : str, mapping or None
        The name of the column with each row's time; None for the newest value of each timestamp column.

    Raises
    ------
    ColumnAbsentError, EmptySampleError, UncountableColumnError
    """
    numbers = [c.name for c in columns if c.is_number] + ([times] if isinstance(times, str) else [])
    sample, levels, again = _first_reading(columns, batches, RowSample(fineness.sample_rows, numbers))
    if not sample.rows:
        raise EmptySampleError(sample="baseline")
    known = times if isinstance(times, str) else dict(times or newest_times(columns, again()))
    seen = sample.table
    bins = {column.name: fineness.bins(column, seen, levels, known) for column in columns}
    ruler = Baseline(model, baseline, columns, bins, Profile(baseline, sample.rows, np.empty(0, np.int64)))
    counts = np.zeros(ruler.width, np.int64)
    for batch in again():
        add_columns(counts, ruler, batch, columns, known)
    return replace(ruler, profile=Profile(baseline, sample.rows, counts))


def freeze_sides(  # noqa: PLR0913  # as freeze_baseline
    model: str,
    baseline: str,
    columns: tuple[Column, ...],
    features: RowBatches,
    answers: pa.Table,
    *,
    times: RowTimes = None,
    fineness: Fineness = FINE,
) -> Baseline:
    """Freeze a baseline of features that need not fit in memory, some columns at a time, and of answers to other rows, which do.

    Counts are those of `freeze_baseline`, and so are the cells of features with no more rows than `fineness.sample_rows`.

    Parameters
    ----------
    columns : tuple of Column
        The features first.
    features : RowBatches
        The training rows.
    answers : Table
        Answers to rows that the model has not trained on.
    times : str, mapping or None
        As `freeze_baseline_streaming` takes them.

    Raises
    ------
    ColumnAbsentError, EmptySampleError, UncountableColumnError
    """
    clock = [times] if isinstance(times, str) else []
    parts = [
        freeze_baseline_streaming(
            model,
            baseline,
            group,
            partial(features.read, [*(column.name for column in group), *clock]),
            times=times,
            fineness=fineness,
        )
        for group in grouped(tuple(column for column in columns if column.role == "feature"))
    ]
    answered = tuple(column for column in columns if column.role == "prediction")
    parts.append(freeze_baseline(model, baseline, answered, answers, answers, times=times, fineness=fineness))
    whole = side_by_side(parts)
    return replace(whole, profile=replace(whole.profile, rows=features.rows))


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
    starts = np.flatnonzero(np.append(True, finite[1:] != finite[:-1]))
    distinct, counts = finite[starts], np.diff(np.append(starts, len(finite)))
    if len(distinct) <= maximum // 2:
        atoms, quantiles = distinct, distinct
    else:
        atoms = distinct[counts * maximum >= len(finite)]
        quantiles = finite[np.linspace(0, len(finite) - 1, maximum).astype(np.int64)]
    # The smallest value's lower side closes the range, so that cell 0 holds only what is below it.
    with np.errstate(over="ignore"):
        below = np.nextafter(np.append(atoms, distinct[0]), -np.inf)
    return np.unique(np.concatenate([quantiles, atoms, below[np.isfinite(below)]]))


def _first_reading(
    columns: tuple[Column, ...], batches: Callable[[], Iterable[Any]], sample: RowSample
) -> tuple[RowSample, dict[str, LevelCounts], Callable[[], Iterable[Any]]]:
    """A sample of the rows, their levels, and how to read them again: from memory where that is all of them."""

    def watched() -> Iterator[Any]:
        for batch in batches():
            for column in columns:
                require(column, batch)
            sample.add(batch)
            yield batch

    levels = _level_counts(columns, watched())
    return sample, levels, (lambda: [sample.table]) if sample.is_whole else batches


def _level_counts(columns: Iterable[Column], batches: Iterable[Any]) -> dict[str, LevelCounts]:
    levels = {column.name: LevelCounts() for column in columns if column.kind == "categorical"}
    for batch in batches:
        for name, counts in levels.items():
            with naming(name):
                counts.add(batch.column(name))
    return levels
