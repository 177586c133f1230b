"""Profiles that stay packed until they are needed: those of a wide model's day would not fit into memory side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Ints
from kedge.errors import BaselineMismatchError
from kedge.profile.baseline import Profile


@dataclass(frozen=True, eq=False)
class UsedCells:
    """A profile by the positions of its vector that hold a count.

    Attributes
    ----------
    cells : ndarray of unsigned or signed int, shape (n_used,)
        The positions, ascending.
    counts : ndarray of int, shape (n_used,)
        What stands there.
    width : int
        Length of the vector.
    """

    baseline: str
    rows: int
    cells: NDArray[Any]
    counts: Ints
    width: int

    @classmethod
    def of(cls, profile: Profile) -> UsedCells:
        """Those of a profile."""
        cells = np.flatnonzero(profile.counts)
        return cls(profile.baseline, profile.rows, cells, profile.counts[cells], len(profile.counts))

    def profile(self) -> Profile:
        """The whole vector."""
        return self.added_to(Profile(self.baseline, 0, np.zeros(self.width, np.int64)))

    def added_to(self, total: Profile) -> Profile:
        """A sum with these counts; its vector is changed in place."""
        if (self.baseline, self.width) != (total.baseline, len(total.counts)):
            raise BaselineMismatchError(expected=total.baseline, found=self.baseline)
        total.counts[self.cells] += self.counts
        return Profile(total.baseline, total.rows + self.rows, total.counts)


class PackedProfiles(Mapping[int, Profile]):
    """Profiles by hour, each unpacked anew when it is needed; what was added since is held as it is.

    >>> packed = PackedProfiles({3: 1, 4: 2}, lambda hour: UsedCells("1", hour - 2, np.array([0]), np.array([hour]), 1))
    >>> grown = packed.plus({4: Profile("1", 5, np.array([9]))})
    >>> rows_of(grown), grown[4].counts.tolist(), [*packed]
    ({3: 1, 4: 7}, [13], [3, 4])

    Parameters
    ----------
    rows : mapping of int to int
        Rows of each profile.
    unpack : callable
        The profile of an hour.
    """

    def __init__(
        self, rows: Mapping[int, int], unpack: Callable[[int], UsedCells], changed: Mapping[int, Profile] | None = None
    ) -> None:
        self._packed, self._unpack, self._changed = rows, unpack, changed or {}

    def __getitem__(self, hour: int) -> Profile:
        return self._changed[hour] if hour in self._changed else self.used(hour).profile()

    def used(self, hour: int) -> UsedCells:
        """An hour's counts without the empty cells."""
        if hour in self._changed:
            return UsedCells.of(self._changed[hour])
        if hour not in self._packed:
            raise KeyError(hour)
        return self._unpack(hour)

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rows(self) -> dict[int, int]:
        """Rows of each profile; nothing is unpacked."""
        return {**self._packed, **{hour: profile.rows for hour, profile in self._changed.items()}}

    def plus(self, others: Mapping[int, Profile]) -> PackedProfiles:
        """With others added; only the hours that grow are unpacked."""
        grown = {hour: self[hour] + other if hour in self else other for hour, other in others.items()}
        return PackedProfiles(self._packed, self._unpack, {**self._changed, **grown})


def rows_of(profiles: Mapping[int, Profile]) -> dict[int, int]:
    """Rows of each profile."""
    if isinstance(profiles, PackedProfiles):
        return profiles.rows
    return {hour: profile.rows for hour, profile in profiles.items()}


def used_cells(profiles: Mapping[int, Profile], hour: int) -> UsedCells:
    """An hour's counts without the empty cells."""
    return profiles.used(hour) if isinstance(profiles, PackedProfiles) else UsedCells.of(profiles[hour])


def added(profiles: Mapping[int, Profile], others: Mapping[int, Profile]) -> Mapping[int, Profile]:
    """Profiles by hour with others added."""
    if isinstance(profiles, PackedProfiles):
        return profiles.plus(others)
    grown = {hour: profiles[hour] + other if hour in profiles else other for hour, other in others.items()}
    return {**profiles, **grown}
