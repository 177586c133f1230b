"""A baseline's ruler, and the profiles that are cut with it: counts in one vector, which add."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from kedge.arrays import Floats, Ints
from kedge.columns.casting import Column
from kedge.errors import BaselineMismatchError
from kedge.profile.bins import COUNTERS, INFINITE, MISSING, UNPARSABLE, UNSEEN, Bins
from kedge.profile.coarse_cells import coarse_starts


def no_means() -> Floats:
    """The means of a column without numbers."""
    return np.empty(0)


@dataclass(frozen=True)
class ColumnCounts:
    """One column's share of a profile.

    Attributes
    ----------
    cells : ndarray of int, shape (n_cells,)
        Rows per cell.
    missing, unparsable, infinite, unseen, out_of_range : int
        Rows without a value, with text where a number, a time or a boolean belongs, infinite, of a level that the
        baseline does not have, and (also in the outer cells) beyond the baseline's smallest or largest value.
    mean_values : callable
        Gives `means`: a verdict needs none.
    """

    cells: Ints
    missing: int
    unparsable: int
    infinite: int
    unseen: int
    out_of_range: int
    mean_values: Callable[[], Floats] = no_means

    @cached_property
    def rows(self) -> int:
        """All rows, with or without a value."""
        return int(self.cells.sum()) + self.missing + self.unparsable + self.infinite + self.unseen

    @cached_property
    def means(self) -> Floats:
        """Mean of the values in each cell of a number, NaN where there are none; of a category, none. Shape (n_cells,)."""
        return self.mean_values()

    @cached_property
    def with_unseen(self) -> Ints:
        """Rows per cell with one more cell for the unseen."""
        return np.append(self.cells, self.unseen)

    @cached_property
    def neighbourhoods(self) -> Ints:
        """First cell of each of about ten neighbourhoods with equal rows: every window is coarsened at the baseline's."""
        return coarse_starts(self.cells)


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
    importance : mapping of str to float
        Share of the model that rests on each feature; empty where nothing is known.
    design_effects : mapping of str to float
        How many of the baseline's rows are worth one independent row, by column; empty where nothing is known.
    """

    model: str
    baseline: str
    columns: tuple[Column, ...]
    bins: Mapping[str, Bins]
    profile: Profile
    importance: Mapping[str, float] = field(default_factory=dict)
    design_effects: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """First position of each column in a profile's vector."""
        sizes = [self.bins[column.name].width for column in self.columns]
        starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        return {column.name: start for column, start in zip(self.columns, starts, strict=False)}

    @cached_property
    def width(self) -> int:
        """Length of a profile's vector."""
        return sum(self.bins[column.name].width for column in self.columns)

    @cached_property
    def own(self) -> dict[str, ColumnCounts]:
        """The counts of its own rows, by column."""
        return {column.name: self.column(self.profile, column.name) for column in self.columns}

    def empty(self) -> Profile:
        """A profile of no rows."""
        return Profile(self.baseline, 0, np.zeros(self.width, np.int64))

    def column(self, profile: Profile, name: str) -> ColumnCounts:
        """One column's counts in a profile of this baseline."""
        if profile.baseline != self.baseline or len(profile.counts) != self.width:
            raise BaselineMismatchError(expected=self.baseline, found=profile.baseline)
        bins, start = self.bins[name], self.offsets[name]
        behind = start + bins.cells
        rows, counters = profile.counts[start:behind], profile.counts[behind : behind + COUNTERS].tolist()
        sums = profile.counts[behind + COUNTERS : start + bins.width]
        numeric = len(bins.edges) > 0
        outside = int(rows[0] + rows[-1]) if numeric else 0
        means: Callable[[], Floats] = partial(bins.grid.means, rows, sums, bins.edges) if numeric else no_means
        missing, unparsable, infinite, unseen = (int(counters[i]) for i in (MISSING, UNPARSABLE, INFINITE, UNSEEN))
        return ColumnCounts(rows, missing, unparsable, infinite, unseen, outside, means)


def side_by_side(parts: Sequence[Baseline]) -> Baseline:
    """One baseline of several that hold different columns of the same rows, the columns in the order of the parts."""
    counts = np.concatenate([part.profile.counts for part in parts])
    return replace(
        parts[0],
        columns=tuple(column for part in parts for column in part.columns),
        bins={name: bins for part in parts for name, bins in part.bins.items()},
        profile=Profile(parts[0].baseline, parts[0].profile.rows, counts),
    )
