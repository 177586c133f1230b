"""The outcomes that the reference predicts for a window's answers, group by group, with the uncertainty of both sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from kedge.arrays import Bools, Floats, Ints
from kedge.slices.counts import FRACTION_MAX, PROBABILITY_UNIT, SliceCounts, SliceTable
from kedge.slices.ruler import ERROR_SUMS, SliceRuler

Where = Literal["all rows", "score band", "segment"]
# Rows that a coarse band adds to each of its bands, for bands with almost no reference rows.
LENT_ROWS = 10.0


@dataclass(frozen=True)
class GroupOutcomes:
    """One position per group: all rows, the answer's bands, then every segment of a single feature and its halves.

    Attributes
    ----------
    names : tuple of (where, column, group)
    rows, reference_rows : ndarray of float
    observed, expected : ndarray of float
        Means per row of what came true, and of what was expected: rates, or errors (truth minus answer).
    variance, reference_variance : ndarray of float
        Variance of the observed mean if nothing has moved, and of the expected mean.
    unit : float
        The unit of a shift: 1 for rates, the reference's root mean squared error for errors.
    """

    names: tuple[tuple[Where, str, str], ...]
    rows: Floats
    reference_rows: Floats
    observed: Floats
    expected: Floats
    variance: Floats
    reference_variance: Floats
    unit: float

    @property
    def shift(self) -> Floats:
        """Observed minus expected."""
        return self.observed - self.expected

    @property
    def error(self) -> Floats:
        """Standard error of the shift."""
        return np.sqrt(self.variance + self.reference_variance)


@dataclass(frozen=True)
class _Cells:
    """Tables by group and cell: rows, sums of outcomes and of answers, and squared errors."""

    rows: Floats
    true: Floats
    said: Floats
    squares: Floats

    @classmethod
    def of(cls, ruler: SliceRuler, table: SliceTable) -> _Cells:
        """Those of a table."""
        rows = table.counts.sum(axis=2).astype(np.float64)
        if ruler.problem == "regression":
            error, squares = (table.sums[..., ERROR_SUMS.index(name)] for name in ("error", "squared_error"))
            return cls(rows, -error, np.zeros_like(rows), squares)
        said = table.sums[..., 0] * PROBABILITY_UNIT
        return cls(rows, table.counts[..., 1].astype(np.float64), said, np.zeros_like(rows))

    def at(self, groups: Ints, kept: Floats) -> _Cells:
        """Some groups, once or more often, and of each the cells that are kept (1) and not left out (0)."""
        return _Cells(*(part[groups] * kept for part in (self.rows, self.true, self.said, self.squares)))


@dataclass(frozen=True)
class _Sums:
    """What adds up over a group's cells: rows, outcomes, answers, the variance of the outcomes, and the rows of each band."""

    rows: Floats
    true: Floats
    said: Floats
    variance: Floats
    in_bands: Floats

    def only(self, groups: Bools) -> _Sums:
        """The same with no rows in the other groups."""
        in_bands = np.where(groups[:, None], self.in_bands, 0.0)
        rows, true, said, variance = (
            np.where(groups, part, 0.0) for part in (self.rows, self.true, self.said, self.variance)
        )
        return _Sums(rows, true, said, variance, in_bands)

    @property
    def at_least_one(self) -> Floats:
        """Rows to divide by."""
        return np.maximum(self.rows, 1.0)

    @property
    def mix(self) -> Floats:
        """Fraction of each group's rows in each band."""
        return self.in_bands / self.at_least_one[:, None]


class _Known:
    """All that the reference says of the groups; a history's windows ask the same reference."""

    def __init__(self, reference: SliceCounts) -> None:
        self._ruler, halves = reference.ruler, _halves(reference)
        self._bands = np.eye(int(self._ruler.bands.max()) + 1)[self._ruler.bands]
        self.positions, table = _positions(reference, tuple(halves)), _stacked(reference)
        self.places = np.array([place for _, _, place, _ in self.positions])
        self.is_segment = np.array([where == "segment" for where, _, _, _ in self.positions])
        self._kept = np.array([halves[ending] for _, _, _, ending in self.positions])
        everything = _Cells.of(self._ruler, table).at(self.places[:1], self._kept[:1])
        # The reference's error in each band, and a group's error beyond that.
        in_band = everything.rows[0] @ self._bands
        off = (everything.true[0] - everything.said[0]) @ self._bands
        self.gap, band_rows = _band_means(off, in_band, self._ruler)
        by_band, _ = _band_means(self._variance(everything)[0] @ self._bands, in_band, self._ruler)
        self.doubt = by_band / band_rows
        rows = max(float(everything.rows[0].sum()), 1.0)
        self.unit = math.sqrt(everything.squares[0].sum() / rows) if self._is_regression else 1.0
        self.sums = self.sums_of(table)

    def sums_of(self, table: SliceTable) -> _Sums:
        """The sums of either side, group by group."""
        cells = _Cells.of(self._ruler, table).at(self.places, self._kept)
        variance = self._variance(cells).sum(axis=1)
        rows, true, said = (part.sum(axis=1) for part in (cells.rows, cells.true, cells.said))
        return _Sums(rows, true, said, variance, cells.rows @ self._bands)

    def compared(self, names: tuple[tuple[Where, str, str], ...], here: _Sums, before: _Sums) -> GroupOutcomes:
        """The two corrections, and their variances; the first group is all rows."""
        n, m, mix, reference_mix = here.at_least_one, before.at_least_one, here.mix, before.mix
        kept = (before.true - before.said) / m - reference_mix @ self.gap
        expected = here.said / n + mix @ self.gap + kept
        return GroupOutcomes(
            names=names,
            rows=here.rows,
            reference_rows=before.rows,
            observed=here.true / n,
            expected=expected if self._is_regression else np.clip(expected, 0.5 / n, 1 - 0.5 / n),
            variance=here.variance / n**2,
            # A row of the group counts in both corrections: twice the product of its parts in each.
            reference_variance=np.maximum(
                before.variance / m**2 + ((mix - reference_mix) * (mix + reference_mix)) @ self.doubt, 0.0
            ),
            unit=self.unit,
        )

    @property
    def _is_regression(self) -> bool:
        return self._ruler.problem == "regression"

    def _variance(self, cells: _Cells) -> Floats:
        return (_squares if self._is_regression else _binomial)(cells, self._bands @ self.gap)


# The reference of a whole history is summed up once.
_known = lru_cache(maxsize=1)(_Known)


def group_outcomes(window: SliceCounts, reference: SliceCounts) -> GroupOutcomes:
    """Compare the window's outcomes with those that the reference predicts for the same answers in the same groups.

    The expected value is what the answers say, with two corrections. The first is the reference's gap between outcome and
    answer in each score band (its calibration; with several classes in each band of the answered class's own probability), weighted by
    the window's rows in the bands. The second is the gap that is left for the group in the reference after that. Both corrections
    are estimates from the same rows. `reference_variance` holds their variance, and that of a mix of bands which differs from the reference's.
    With several classes, answers without a probability are left out.

    Parameters
    ----------
    window, reference : SliceCounts
        Cut with the same ruler.
    """
    known, table = _known(reference), _stacked(window)
    # A segment that is nearly the whole window tells nothing beyond all rows.
    small = (table.rows <= FRACTION_MAX * window.total.rows[0])[known.places]
    apart = small | ~known.is_segment
    names = tuple((where, column, table.names[place][0] + ending) for where, column, place, ending in known.positions)
    return known.compared(names, known.sums_of(table).only(apart), known.sums.only(apart))


def _stacked(counts: SliceCounts) -> SliceTable:
    """All rows, the answer's bands, then every feature."""
    answer, *features = (grouping.column for grouping in (counts.ruler.groupings[-1], *counts.ruler.groupings[:-1]))
    return SliceTable.stacked([counts.total, *(counts.tables[(name,)] for name in (answer, *features))])


def _positions(counts: SliceCounts, halves: Sequence[str]) -> list[tuple[Where, str, int, str]]:
    """The groups that are compared: where, by column, their place in the stacked table, and the ending of a half's name."""
    answer, *features = (grouping.column for grouping in (counts.ruler.groupings[-1], *counts.ruler.groupings[:-1]))
    bands = len(counts.tables[(answer,)].names)
    found: list[tuple[Where, str, int, str]] = [("all rows", answer, 0, "")]
    found += [("score band", answer, 1 + band, "") for band in range(bands)]
    first = 1 + bands
    for column in features:
        groups = range(first, first + len(counts.tables[(column,)].names))
        found += [("segment", column, place, ending) for ending in halves for place in groups]
        first = groups.stop
    return found


def _halves(reference: SliceCounts) -> dict[str, Floats]:
    """All cells, then those of the reference's lower and upper half of answers (for classes, of their own probabilities).

    If answers no longer tell a segment's rows apart, its rate may stay the same: then too many rows of one half come
    true, and too few of the other.
    """
    ruler, rows = reference.ruler, reference.total.counts[0].sum(axis=1)
    everything = np.ones(len(rows))
    heights = np.arange(len(rows))
    if ruler.classes:
        everything[-1] = 0.0
        heights = heights % (len(ruler.edges) + 1)
    below = np.cumsum(np.bincount(heights, rows * everything))[heights]
    lower = everything * (below <= (rows * everything).sum() / 2)
    word = "probability" if ruler.classes else "answers"
    return {"": everything, f" with low {word}": lower, f" with high {word}": everything - lower}


def _band_means(sums: Floats, rows: Floats, ruler: SliceRuler) -> tuple[Floats, Floats]:
    """Each band's mean of a sum over its rows, and the number of rows behind it; with few rows the coarse band's mean is mixed in."""
    coarse = ruler.coarse_bands
    together = np.maximum(np.bincount(coarse, rows), 1.0)[coarse]
    lent = np.minimum(together - rows, LENT_ROWS)
    weight = np.maximum(rows + lent, 1.0)
    return (sums + lent * np.bincount(coarse, sums)[coarse] / together) / weight, weight


def _binomial(cells: _Cells, gap: Floats) -> Floats:
    """Variance of the number of hits in each cell if the corrected answers are right."""
    rate = np.clip(cells.said / np.maximum(cells.rows, 1.0) + gap, 1e-4, 1 - 1e-4)
    return np.asarray(cells.rows * rate * (1 - rate))


def _squares(cells: _Cells, gap: Floats) -> Floats:
    """Variance of the sum of the errors in each cell, around the cell's own mean."""
    return np.asarray(cells.squares - cells.true**2 / np.maximum(cells.rows, 1.0))
