"""Baseline and window counted from files, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from kedge.errors import EmptySampleError
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.counting import count_batches
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
    """Freeze the baseline of one side's rows and count the other's in it."""
    names = [column.name for column in columns]
    frozen = _freeze(model, tuple(columns), before)
    ruler = coarse_ruler(frozen)
    stretched = FileStretches(ruler, total_rows=before.total_rows, times=_newest(columns, before))
    for batch in before.batches(names):
        stretched.add(batch)
    known = stretched.profiles
    repeated = stretched.repetition(known)
    frozen = replace(frozen, design_effects=repeated.design_effects)
    times = _newest(columns, now)
    stretches = FileStretches(ruler, total_rows=now.total_rows, times=times)
    window = count_batches(frozen, _watched(now.batches(names), stretches), times=times)
    if not window.rows:
        raise UnreadableFileError(path=now.path, reason=NO_ROWS)
    found = stretches.repetition(known)
    return CountedSides(frozen, window, found.design_effects, repeated.sorted_by, found.sorted_by)


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


def _watched(batches: Iterator[pa.RecordBatch], stretches: FileStretches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        stretches.add(batch)
        yield batch
