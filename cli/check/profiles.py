"""Baseline and window counted from files, in memory that does not grow with them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from cli.check.stretches import FileStretches, coarse_ruler
from cli.rows.files import RowFiles, UnreadableFileError
from cli.rows.sources import NO_ROWS
from kedge.columns.ages import newest_times
from kedge.columns.casting import Column, cast_numbers
from kedge.columns.row_batches import grouped
from kedge.errors import EmptySampleError
from kedge.profile.baseline import Baseline, Profile, side_by_side
from kedge.profile.counting import add_columns
from kedge.profile.freezing import Fineness, freeze_baseline_streaming

# Up to this many rows of baseline every different value has a cell of its own, and the KS statistic is exact. For longer
# ones it is exact if a column has at most half as many different values as there may be edges; otherwise about
# a ten-thousandth may be missing.
EXACT_ROWS, MAXIMUM_EDGES = 50_000, 4_000


@dataclass(frozen=True)
class CountedSides:
    """Both sides, how many rows of the window count as one independent row, by column, and the columns that rows are sorted by."""

    baseline: Baseline
    window: Profile
    design_effects: dict[str, float]
    baseline_sorted_by: tuple[str, ...] = ()
    window_sorted_by: tuple[str, ...] = ()


def count_sides(model: str, columns: Sequence[Column], before: RowFiles, now: RowFiles) -> CountedSides:
    """Freeze the baseline of one side's rows and count the other's in it, some columns at a time."""
    times = _newest(columns, before), _newest(columns, now)
    step = min(before.columns_at_once, now.columns_at_once)
    parts = [_count_group(model, group, before, now, times) for group in grouped(tuple(columns), step)]
    frozen = side_by_side([part.baseline for part in parts])
    ruler = coarse_ruler(frozen)
    of_baseline = FileStretches.side_by_side(ruler, [part.of_baseline for part in parts])
    of_window = FileStretches.side_by_side(ruler, [part.of_window for part in parts])
    known = of_baseline.profiles
    repeated, found = of_baseline.repetition(known), of_window.repetition(known)
    window = Profile(
        frozen.baseline,
        parts[0].window.rows,
        np.concatenate([np.empty(0, np.int64), *(p.window.counts for p in parts)]),
    )
    frozen = replace(frozen, design_effects=repeated.design_effects)
    return CountedSides(frozen, window, found.design_effects, repeated.sorted_by, found.sorted_by)


@dataclass(frozen=True)
class _Group:
    """Some columns of both sides, counted."""

    baseline: Baseline
    window: Profile
    of_baseline: FileStretches
    of_window: FileStretches


def _count_group(
    model: str, columns: tuple[Column, ...], before: RowFiles, now: RowFiles, times: tuple[Any, Any]
) -> _Group:
    names = [column.name for column in columns]
    frozen = _freeze(model, columns, before)
    ruler = coarse_ruler(frozen)
    of_baseline = FileStretches(ruler, total_rows=before.total_rows, times=times[0])
    for batch in before.batches(names):
        of_baseline.add(batch)
    of_window = FileStretches(ruler, total_rows=now.total_rows, times=times[1])
    window = _counted(frozen, now.batches(names), of_window, times[1])
    if not window.rows:
        raise UnreadableFileError(path=now.path, reason=NO_ROWS)
    # Of a wide model the tables by which numbers found their cells would be as large as all that was counted.
    for bins in (*frozen.bins.values(), *ruler.bins.values()):
        bins.forget_index()
    return _Group(frozen, window, of_baseline, of_window)


def _counted(frozen: Baseline, batches: Iterator[pa.RecordBatch], stretches: FileStretches, times: Any) -> Profile:
    """What `count_batches` gives, by all cores: one reads and counts stretches, the others count columns."""
    counts, rows = np.zeros(frozen.width, np.int64), 0
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1)) as pool:
        for batch in batches:
            rows += batch.num_rows
            of_column = partial(add_columns, counts, frozen, batch, times=times)
            # Each column has its own place in the vector. All are waited for, and their errors raised.
            columns = pool.map(of_column, [(column,) for column in frozen.columns])
            stretches.add(batch)
            deque(columns, maxlen=0)
    return Profile(frozen.baseline, rows, counts)


def _freeze(model: str, columns: tuple[Column, ...], rows: RowFiles) -> Baseline:
    names = [column.name for column in columns]
    few = rows.head(names[:1], EXACT_ROWS + 1).num_rows
    if not few:
        raise UnreadableFileError(path=rows.path, reason=NO_ROWS)
    edges = 2 * EXACT_ROWS if few <= EXACT_ROWS else MAXIMUM_EDGES
    try:
        return freeze_baseline_streaming(
            model, rows.name, columns, partial(rows.batches, names), fineness=Fineness(maximum_edges=edges)
        )
    except EmptySampleError as error:
        raise UnreadableFileError(path=rows.path, reason=_void(rows, columns)) from error


def _void(rows: RowFiles, columns: Iterable[Column]) -> str:
    numeric = [column.name for column in columns if column.is_number]
    seen: set[str] = set()
    for batch in rows.batches(numeric):
        seen |= {
            n for n in numeric if n not in seen and np.isfinite(cast_numbers(batch.column(n), "float64").values).any()
        }
    void = [name for name in numeric if name not in seen]
    return (
        f"column {', '.join(map(repr, void))} holds no number in any row; take it out of the file, or name the "
        "columns to watch in a YAML (--config)"
    )


def _newest(columns: Sequence[Column], rows: RowFiles) -> Any:
    """What a timestamp's age is counted from: the newest value of its column on this side."""
    names = [column.name for column in columns if column.kind == "timestamp"]
    return newest_times(columns, rows.batches(names)) if names else None
