"""Profiles that stay packed until they are asked for: those of a wide model's day would not fit into memory side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kedge.profile.baseline import Profile


class PackedProfiles(Mapping[int, Profile]):
    """Profiles by hour, each unpacked anew when it is asked for; what was added since is held as it is.

    >>> import numpy as np
    >>> packed = PackedProfiles({3: 1, 4: 2}, lambda hour: Profile("1", hour - 2, np.array([hour])))
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
        self, rows: Mapping[int, int], unpack: Callable[[int], Profile], changed: Mapping[int, Profile] | None = None
    ) -> None:
        self._packed, self._unpack, self._changed = rows, unpack, changed or {}

    def __getitem__(self, hour: int) -> Profile:
        if hour in self._changed:
            return self._changed[hour]
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


def added(profiles: Mapping[int, Profile], others: Mapping[int, Profile]) -> Mapping[int, Profile]:
    """Profiles by hour with others added."""
    if isinstance(profiles, PackedProfiles):
        return profiles.plus(others)
    grown = {hour: profiles[hour] + other if hour in profiles else other for hour, other in others.items()}
    return {**profiles, **grown}
