"""Consecutive stretches of a file's rows counted coarsely: their differences show how far rows repeat each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Ints
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.bins import Bins
from kedge.profile.coarse_cells import coarse_starts
from kedge.profile.counting import count_rows_by_hour
from kedge.profile.design_effect import BLOCKS, design_effects
from kedge.profile.row_order import RowOrder

# This many rows are enough for the estimate: in longer files only every n-th row is used.
STRETCHED_ROWS = 25_000
# As many are counted in one go: each column costs as much as some thousand of its rows.
_COUNTED_ROWS = 8192
# Rows of a stretch whose order is looked at.
_LOOKED_AT = 64
# Levels beyond these share one cell: stretches have few rows of each.
_LEVELS = 50
# If rows are sorted by a column, whole stretches are alike; for a flag that is rarely set and comes last, they are not.
_SORTED_EFFECT = 4.0


@dataclass(frozen=True)
class Repetition:
    """How many rows count as one independent row, by column, and the columns that the rows are sorted by."""

    design_effects: dict[str, float]
    sorted_by: tuple[str, ...] = ()


def coarse_ruler(frozen: Baseline) -> Baseline:
    """A ruler of about ten cells a number and fifty levels a category, without any rows yet."""
    bins = {column.name: _coarse(frozen, column.name) for column in frozen.columns}
    ruler = replace(frozen, bins=bins, importance={}, design_effects={})
    return replace(ruler, profile=Profile(frozen.baseline, 0, np.zeros(ruler.width, np.int64)))


@dataclass(frozen=True)
class _Chosen:
    """Rows of one batch that wait to be counted, the place of each among all chosen ones, and those whose order is looked at."""

    rows: pa.RecordBatch
    numbers: Ints
    looked_at: pa.RecordBatch


class FileStretches:
    """Batches of rows in their order, as at least `BLOCKS` stretches of equal length once there are rows for them."""

    def __init__(self, ruler: Baseline, *, total_rows: int | None, times: Any = None) -> None:
        self._ruler, self._times = ruler, times
        self._step = max(1, (total_rows or 0) // STRETCHED_ROWS)
        # A power of two, so that where stretches end does not depend on where batches do.
        self._seen, self._length = 0, 1
        self._counted: dict[int, Profile] = {}
        self._order = RowOrder(ruler.columns)
        self._waiting: list[_Chosen] = []

    @classmethod
    def side_by_side(cls, ruler: Baseline, parts: Sequence[FileStretches]) -> FileStretches:
        """The stretches of several that have seen different columns of the same rows, by a ruler of all columns."""
        found = cls(ruler, total_rows=None)
        found._step, found._seen, found._length = parts[0]._step, parts[0]._seen, parts[0]._length
        for part in parts:
            part._count()
        for stretch, first in parts[0]._counted.items():
            vectors = [part._counted[stretch].counts for part in parts]
            found._counted[stretch] = Profile(ruler.baseline, first.rows, np.concatenate(vectors))
        found._order = RowOrder.side_by_side([part._order for part in parts])
        return found

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the next rows."""
        first = -self._seen % self._step
        rows = np.arange(first, batch.num_rows, self._step)
        numbers = (self._seen + rows) // self._step
        self._seen += batch.num_rows
        if not len(rows):
            return
        while numbers[-1] // self._length >= 2 * BLOCKS:
            self._merge()
        chosen = batch if self._step == 1 else batch.take(pa.array(rows))
        # Lines of JSON may be of another type from one batch to the next.
        if self._waiting and chosen.schema != self._waiting[-1].rows.schema:
            self._count()
        self._waiting.append(_Chosen(chosen, numbers, self._of_which_the_order_is_looked_at(chosen, numbers)))
        if sum(len(each.numbers) for each in self._waiting) >= _COUNTED_ROWS:
            self._count()

    def _count(self) -> None:
        if not self._waiting:
            return
        rows, looked_at = (
            pa.Table.from_batches(batches)
            for batches in zip(*((each.rows, each.looked_at) for each in self._waiting), strict=True)
        )
        numbers = np.concatenate([each.numbers for each in self._waiting])
        self._waiting = []
        self._order.add(looked_at)
        found = count_rows_by_hour(self._ruler, rows, numbers // self._length, times=self._times)
        for stretch, profile in found.items():
            self._put(self._counted, stretch, profile)

    @property
    def profiles(self) -> list[Profile]:
        """One profile a stretch, in the order of the rows."""
        self._count()
        return [self._counted[stretch] for stretch in sorted(self._counted)]

    def repetition(self, baseline: list[Profile]) -> Repetition:
        """Design effect of each column for whole rows, where `baseline` are the stretches that say how cells are pooled.

        The order of sorted rows tells nothing of the columns that they are sorted by, and of the others only what
        neighbouring stretches differ by.
        """
        ruler = replace(self._ruler, profile=reduce(add, baseline, self._ruler.profile))
        sampled = design_effects(ruler, self.profiles)
        keys = tuple(name for name in self._order.sorted_columns if sampled[name] > _SORTED_EFFECT)
        if keys:
            sampled = design_effects(ruler, self.profiles, trending=True) | dict.fromkeys(keys, 1.0)
        # Of every step-th row the excess over independence is a step-th of all rows'.
        return Repetition({name: 1 + self._step * (effect - 1) for name, effect in sampled.items()}, keys)

    def _of_which_the_order_is_looked_at(self, chosen: pa.RecordBatch, numbers: Any) -> pa.RecordBatch:
        # The longer the file, the fewer of its rows: sorted ones are sorted however many are left out.
        every = max(1, self._length // _LOOKED_AT)
        return chosen if every == 1 else chosen.take(pa.array(np.flatnonzero(numbers % every == 0)))

    def _merge(self) -> None:
        merged: dict[int, Profile] = {}
        for stretch, profile in self._counted.items():
            self._put(merged, stretch // 2, profile)
        self._counted, self._length = merged, 2 * self._length

    @staticmethod
    def _put(counted: dict[int, Profile], stretch: int, profile: Profile) -> None:
        counted[stretch] = counted[stretch] + profile if stretch in counted else profile


def _coarse(frozen: Baseline, name: str) -> Bins:
    bins = frozen.bins[name]
    if not len(bins.edges):
        return Bins(levels=bins.levels[:_LEVELS])
    starts = coarse_starts(frozen.column(frozen.profile, name).cells)[1:]
    # The range's ends stay, for the ruler says what lies outside it.
    return Bins(edges=np.unique(np.concatenate([bins.edges[:1], bins.edges[starts - 1], bins.edges[-1:]])))
