"""One column on both sides, as it is measured and told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kedge.baseline import ColumnCounts
from kedge.binning import Bins
from kedge.cells import median, median_cell
from kedge.column_statistics import Measured, measure_categorical, measure_numeric
from kedge.columns import Column
from kedge.comparisons import in_words, percent
from kedge.shown_values import place_of

_FIVE_DIGITS = 10_000


@dataclass(frozen=True)
class ColumnEvidence:
    """Counts of one column, of what it is judged against and of the window.

    Attributes
    ----------
    design_effect : float
        How many rows are worth one independent row, at least 1.
    hidden : bool
        Whether its values stay out of sentences (`kedge.shown_values`).
    """

    column: Column
    bins: Bins
    before: ColumnCounts
    now: ColumnCounts
    design_effect: float = 1.0
    hidden: bool = False

    def measure(self, *, minimum_rows: int, level: float) -> Measured | None:
        """Its statistics; None where the window has fewer than `minimum_rows` values, or the other side none."""
        sides = self.before.with_unseen, self.now.with_unseen
        if int(sides[1].sum()) < minimum_rows or not sides[0].sum():
            return None
        if self.column.is_number:
            return measure_numeric(self.bins, self.before, self.now, level=level, design_effect=self.design_effect)
        return measure_categorical(*sides, level=level, design_effect=self.design_effect)

    @property
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
    """Where the window's median lies among the baseline's rows: no value is told."""
    healthy = evidence.before.cells
    below = healthy[: median_cell(evidence.now.cells) + 1].sum() / healthy.sum()
    return f"{below:.0%} of the baseline's values are at most the window's median"


def _middle(counts: ColumnCounts, evidence: ColumnEvidence) -> str:
    """The median in words: of what lies outside of the baseline's values nobody knows how far."""
    edges, healthy = evidence.bins.edges, evidence.before.cells
    found = median(counts.cells, evidence.bins)
    place = median_cell(counts.cells)
    if healthy[place] or 0 < place < len(edges):
        return _value(found)
    # The first edge lies just below the smallest value; a negative zero is none that people write.
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
