"""Rows counted in a baseline's cells: a table, many batches, or each block of rows apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Ints
from kedge.columns.ages import RowTimes
from kedge.columns.casting import Column
from kedge.errors import ColumnAbsentError, UncountableColumnError
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.column_counting import count_cells, count_cells_by_code


def count_rows(baseline: Baseline, table: pa.Table, *, times: RowTimes = None) -> Profile:
    """Count rows in the baseline's cells.

    Parameters
    ----------
    table : Table
        Every column of the baseline, as text or numbers; each is cast to its declared dtype first.
    times : str, mapping or None
        What a timestamp's age is counted from: the name of the column with each row's time, the newest value of each
        timestamp column (`kedge.columns.ages.newest_times`), or None for the newest in `table`.

    Raises
    ------
    ColumnAbsentError, UncountableColumnError
    """
    return count_batches(baseline, [table], times=times)


def count_batches(baseline: Baseline, batches: Iterable[Any], *, times: RowTimes = None) -> Profile:
    """Count the rows of many tables or record batches, adding in place: the memory is one profile's.

    With timestamps, and where no column tells the rows' times, give the newest values: the newest of each batch would make
    ages depend on where batches end.
    """
    counts, rows = np.zeros(baseline.width, np.int64), 0
    for batch in batches:
        add_columns(counts, baseline, batch, baseline.columns, times)
        rows += batch.num_rows
    return Profile(baseline.baseline, rows, counts)


def count_rows_by_hour(
    baseline: Baseline, table: pa.Table, hours: Ints, *, times: RowTimes = None
) -> dict[int, Profile]:
    """Count rows apart by their hour, or by any other block, at about the cost of counting them once.

    Parameters
    ----------
    hours : ndarray of int, shape (n_rows,)
        Hour of each row, or any whole number that names its block.
    """
    found, code = np.unique(hours, return_inverse=True)
    # An hour that is kept holds no other in memory.
    vectors = [np.zeros(baseline.width, np.int64) for _ in found]
    for column in baseline.columns:
        bins, start = baseline.bins[column.name], baseline.offsets[column.name]
        require(column, table)
        with naming(column.name):
            counts = count_cells_by_code(bins, column, table, code, groups=len(found), times=times)
        for vector, of_hour in zip(vectors, counts, strict=True):
            vector[start : start + bins.width] = of_hour
    rows = np.bincount(code, minlength=len(found)).tolist()
    return {int(hour): Profile(baseline.baseline, rows[i], vectors[i]) for i, hour in enumerate(found)}


def add_columns(
    counts: Ints, ruler: Baseline, table: pa.Table, columns: Iterable[Column], times: RowTimes = None
) -> None:
    """Add a table's rows to a profile's vector, for some of the baseline's columns."""
    for column in columns:
        bins, start = ruler.bins[column.name], ruler.offsets[column.name]
        require(column, table)
        with naming(column.name):
            counts[start : start + bins.width] += count_cells(bins, column, table, times)


def require(column: Column, table: Any) -> None:
    """Refuse a table or record batch without the column."""
    # All names of a wide table would be made into a list for each of its columns.
    if not table.schema.get_all_field_indices(column.name):
        raise ColumnAbsentError(column=column.name, found=table.schema.names)


@contextmanager
def naming(column: str) -> Iterator[None]:
    """Say which column it was that could not be counted."""
    try:
        yield
    except UncountableColumnError as error:
        raise UncountableColumnError(kind=error.kind, column=column) from error
