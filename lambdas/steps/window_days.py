"""The days of a window, summed one after the other: none is held, however wide and many they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from kedge.profile.baseline import Baseline, Profile
from kedge.profile.day import DayProfile, WindowDigest
from kedge.profile.design_effect import BlockCounts
from kedge.profile.packed_profiles import used_cells
from lambdas.steps.requests import Window


@dataclass
class WindowDays:
    """What the days of a window say.

    Attributes
    ----------
    total : Profile
        The sum of the hours that lie wholly in the window.
    blocks : BlockCounts
        The same hours, one after the other.
    rows, rows_read, requests : dict
        Of each hour of each day; where a sample is counted, fewer rows are counted than were read.
    digest : WindowDigest
        Of the objects that all days have counted.
    quarantined, duplicates : int
        Of all days.
    variants : mapping of str to WindowDays
        What each of several production variants answered.
    """

    total: Profile
    blocks: BlockCounts
    rows: dict[date, Mapping[int, int]] = field(default_factory=dict)
    rows_read: dict[date, Mapping[int, int]] = field(default_factory=dict)
    requests: dict[date, Mapping[int, int]] = field(default_factory=dict)
    digest: WindowDigest = field(default_factory=WindowDigest)
    quarantined: int = 0
    duplicates: int = 0
    variants: Mapping[str, WindowDays] = field(default_factory=dict)

    def add(self, day: date, found: DayProfile, window: Window) -> None:
        """Take a day; days come in the order of time."""
        for hour in sorted(found.hours):
            if window.start <= datetime.combine(day, time(hour), UTC) < window.end:
                used = used_cells(found.hours, hour)
                self.total = used.added_to(self.total)
                self.blocks.add(used)
        self.rows[day], self.rows_read[day], self.requests[day] = found.rows, found.rows_read, found.requests
        self.digest.add(day, found.counted)
        self.quarantined += found.quarantined
        self.duplicates += found.duplicates
        for name, variant in self.variants.items():
            variant.add(day, found.variants.get(name, DayProfile()), window)


def summed(
    baseline: Baseline, days: Iterable[tuple[date, DayProfile]], window: Window, variants: Iterable[str] = ()
) -> WindowDays:
    """Sum the hours of a window, all and those of each variant."""

    def nothing() -> WindowDays:
        return WindowDays(baseline.empty(), BlockCounts(baseline))

    found = nothing()
    found.variants = {name: nothing() for name in variants}
    for day, profile in days:
        found.add(day, profile, window)
    return found
