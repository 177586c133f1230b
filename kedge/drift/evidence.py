"""One column on both sides: every statistic from its counts, the effect of chance alone, and its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kedge.arrays import Ints
from kedge.columns.casting import Column
from kedge.columns.shown_values import place_of
from kedge.comparisons import in_words, percent
from kedge.profile.baseline import ColumnCounts
from kedge.profile.bins import Bins
from kedge.profile.coarse_cells import NEIGHBOURHOODS, coarsen, median, median_cell
from kedge.statistics.chi_square import chi_square, total_variation_certain
from kedge.statistics.every_statistic import DISTANCES, TESTS_OF_LEVELS, TESTS_OF_NUMBERS, tested
from kedge.statistics.kolmogorov_smirnov import ks_critical, ks_test, ks_without_drift
from kedge.statistics.psi import psi
from kedge.statistics.total_variation import total_variation_distance, total_variation_without_drift
from kedge.statistics.wasserstein import wasserstein_distance

_FIVE_DIGITS = 10_000


class Statistics(Mapping[str, float]):
    """Statistics by name: PSI, by which a rule may decide, is at hand, and the others are computed when one of them is read.

    Parameters
    ----------
    every : callable
        Gives all of them, PSI too.

    >>> found = Statistics(0.1, lambda: {"psi": 0.1, "ks_statistic": 0.2})
    >>> found["psi"], dict(found)
    (0.1, {'psi': 0.1, 'ks_statistic': 0.2})
    """

    def __init__(self, psi: float, every: Callable[[], Mapping[str, float]]) -> None:
        self._psi, self._compute = psi, every

    @cached_property
    def _every(self) -> Mapping[str, float]:
        return self._compute()

    def __getitem__(self, name: str) -> float:
        return self._psi if name == "psi" else self._every[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._every)

    def __len__(self) -> int:
        return len(self._every)


@dataclass(frozen=True)
class Measured:
    """The measured values of one column, not judged yet.

    Attributes
    ----------
    statistics : mapping of str to float
        By the names of `kedge.statistics.every_statistic`, as if the rows were independent; statistics that do not apply are absent.
    p_value : float
        Of KS or chi-square, under the design effect, not corrected for the other tests.
    effect : float
        KS statistic or total variation, 0 to 1.
    effect_without_drift : float
        The average effect at these sizes when nothing has moved, under the design effect.
    design_effect : float
        How many rows count as one independent row, at least 1.
    certain_effect : float
        From this effect on the p-value is certainly below the required level; 1 where no level was given.
    """

    statistics: Mapping[str, float]
    p_value: float
    effect: float
    effect_without_drift: float
    design_effect: float
    certain_effect: float = 1.0


def measure_numeric(bins: Bins, before: ColumnCounts, now: ColumnCounts, *, design_effect: float = 1.0) -> Measured:
    """Measure a numeric column: KS and Wasserstein on the fine cells, the others on ten neighbourhoods.

    Parameters
    ----------
    before, now : ColumnCounts
        Rows per cell of `bins`, neither of them empty.
    design_effect : float
        How many rows count as one independent row, at least 1.
    """
    starts = _with_ends(before.neighbourhoods, before.cells, now.cells)
    b, w = coarsen(before.cells, starts), coarsen(now.cells, starts)
    worth = int(before.cells.sum()) / design_effect, int(now.cells.sum()) / design_effect

    def told() -> dict[str, float]:
        found = {name: function(b, w) for name, function in DISTANCES.items()}
        found |= tested(TESTS_OF_NUMBERS, before.cells, now.cells)
        distance = wasserstein_distance(before.cells, now.cells, bins.edges, (before.means, now.means))
        found["wasserstein_distance"] = distance
        # Values near the largest float are too far apart for a distance.
        return {name: value for name, value in found.items() if np.isfinite(value)}

    # The test that decides: those of the table are told beside it.
    effect, p_value = ks_test(before.cells, now.cells, design_effect=design_effect)
    # A KS statistic is at most the total variation, and so is its mean: with few values that is the tighter bound.
    by_cells = total_variation_without_drift(before.cells, now.cells, design_effect=design_effect)
    return Measured(
        Statistics(psi(b, w), told),
        p_value,
        effect,
        min(ks_without_drift(*worth), by_cells),
        design_effect,
    )


def _with_ends(starts: Ints, before: Ints, now: Ints) -> Ints:
    """The neighbourhoods, with one more on a side on which the window has rows beyond all values of the baseline.

    Ten equal neighbourhoods take such rows in at their ends. In a column of few values each neighbourhood is one value, and a
    new value belongs to none of them.

    >>> _with_ends(np.array([0]), np.array([0, 9, 0]), np.array([0, 1, 8])).tolist()
    [0, 2]
    """
    if len(starts) == NEIGHBOURHOODS:
        return starts
    used = np.flatnonzero(before)
    first, behind = int(used[0]), int(used[-1]) + 1
    low = [first] if now[:first].any() else []
    high = [behind] if now[behind:].any() else []
    inner = starts[(starts > first) | (starts == 0)]
    return np.unique(np.concatenate([inner, low, high])).astype(np.int64)


def measure_categorical(before: Ints, now: Ints, *, design_effect: float = 1.0) -> Measured:
    """Measure a categorical column.

    Parameters
    ----------
    before, now : ndarray of int, shape (n_levels,)
        Rows per level, the unseen among them, neither of them empty.
    design_effect : float
        How many rows count as one independent row, at least 1.

    >>> round(measure_categorical(np.array([50, 50]), np.array([20, 80])).effect, 6)
    0.3
    """

    def told() -> dict[str, float]:
        found = {name: function(before, now) for name, function in DISTANCES.items()}
        return found | tested(TESTS_OF_LEVELS, before, now)

    # The test that decides: those of the table are told beside it.
    _, p_value = chi_square(before, now, design_effect=design_effect)
    return Measured(
        Statistics(psi(before, now), told),
        p_value,
        total_variation_distance(before, now),
        total_variation_without_drift(before, now, design_effect=design_effect),
        design_effect,
    )


@dataclass(frozen=True)
class ColumnEvidence:
    """Counts of one column in its baseline and in the window.

    Attributes
    ----------
    design_effect : float
        How many rows count as one independent row, at least 1.
    hidden : bool
        Whether its values stay out of sentences (`kedge.columns.shown_values`).
    """

    column: Column
    bins: Bins
    before: ColumnCounts
    now: ColumnCounts
    design_effect: float = 1.0
    hidden: bool = False

    def measure(self, *, minimum_rows: int, level: float) -> Measured | None:
        """Its statistics; None if the window has fewer than `minimum_rows` values, or the other side none.

        Parameters
        ----------
        level : float
            The p-value that `certain_effect` is for.
        """
        before, now = self.before.with_unseen, self.now.with_unseen
        if int(now.sum()) < minimum_rows or not before.sum():
            return None
        return replace(self._measured, certain_effect=self._certain_effect(level))

    @cached_property
    def _measured(self) -> Measured:
        # Once, however many policies judge it.
        if self.column.is_number:
            return measure_numeric(self.bins, self.before, self.now, design_effect=self.design_effect)
        return measure_categorical(self.before.with_unseen, self.now.with_unseen, design_effect=self.design_effect)

    def _certain_effect(self, level: float) -> float:
        if self.column.is_number:
            sides = self.before.cells, self.now.cells
            return ks_critical(level, *(int(side.sum()) / self.design_effect for side in sides))
        before, now = self.before.with_unseen, self.now.with_unseen
        used = int(np.count_nonzero(before + now))
        worth = (float(side.sum()) / self.design_effect for side in (before, now))
        return total_variation_certain(used, level, *worth)

    @cached_property
    def moved(self) -> str:
        """What moved most, in words."""
        return _moved_number(self) if self.column.is_number else _moved_level(self)


def _moved_number(evidence: ColumnEvidence) -> str:
    if evidence.hidden:
        return _moved_hidden(evidence)
    before, now = (_middle(counts, evidence) for counts in (evidence.before, evidence.now))
    if before == now:
        return f"the median stayed at {before}"
    return f"the median moved from {before} to {now}"


def _moved_hidden(evidence: ColumnEvidence) -> str:
    """The place of the window's median among the baseline's rows, without any value."""
    healthy = evidence.before.cells
    below = healthy[: median_cell(evidence.now.cells) + 1].sum() / healthy.sum()
    return f"{below:.0%} of the baseline's values are at most the window's median"


def _middle(counts: ColumnCounts, evidence: ColumnEvidence) -> str:
    """The median in words: beyond the baseline's values the distance is unknown."""
    edges, healthy = evidence.bins.edges, evidence.before.cells
    found = median(counts.cells, evidence.bins)
    place = median_cell(counts.cells)
    if healthy[place] or 0 < place < len(edges):
        return _value(found)
    # The first edge lies just below the smallest value; people do not write a negative zero.
    return f"above {_value(found)}" if place else f"below {_value(np.nextafter(found, np.inf))}"


def _value(value: float) -> str:
    """A value of the column's own; one of four digits may be a year, and takes no separator."""
    return in_words(value) if abs(value) >= _FIVE_DIGITS else f"{value + 0.0:.4g}"


def _moved_level(evidence: ColumnEvidence) -> str:
    b, w = (counts.with_unseen / counts.with_unseen.sum() for counts in (evidence.before, evidence.now))
    most = int(np.argmax(np.abs(w - b)))
    name = evidence.bins.cell_name(most)
    if most < len(evidence.bins.levels):
        levels = len(evidence.bins.levels) + len(evidence.bins.rare)
        name = place_of("level", most, levels) if evidence.hidden else repr(name)
    return f"the share of {name} moved from {percent(b[most])} to {percent(w[most])}"
