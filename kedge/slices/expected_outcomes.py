"""The outcomes that the reference predicts for a window's answers, group by group, with the uncertainty of both sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats
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

    def only(self, kept: NDArray[Any]) -> _Cells:
        """The same for some groups or cells: 1 keeps one, 0 leaves it out."""
        return _Cells(self.rows * kept, self.true * kept, self.said * kept, self.squares * kept)


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
    halves = _halves(reference)
    everything = halves[""]
    names: list[tuple[Where, str, str]] = []
    here, before = [], []
    for where, name in _tables(window):
        mine, theirs = (c.total if where == "all rows" else c.tables[name] for c in (window, reference))
        # A segment that is nearly the whole window tells nothing beyond all rows.
        apart = np.ones(len(mine.rows)) if where != "segment" else mine.rows <= FRACTION_MAX * window.total.rows[0]
        sides = [_cells(window, table).only(apart[:, None]) for table in (mine, theirs)]
        for ending, kept in halves.items() if where == "segment" else (("", everything),):
            names += [(where, name[0], group[0] + ending) for group in mine.names]
            here.append(sides[0].only(kept))
            before.append(sides[1].only(kept))
    return _compared(tuple(names), _stacked(here), _stacked(before), window)


def _tables(window: SliceCounts) -> Iterator[tuple[Where, tuple[str, ...]]]:
    answer = window.ruler.groupings[-1].column
    yield "all rows", (answer,)
    yield "score band", (answer,)
    for grouping in window.ruler.groupings[:-1]:
        yield "segment", (grouping.column,)


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


def _cells(window: SliceCounts, table: SliceTable) -> _Cells:
    rows = table.counts.sum(axis=2).astype(np.float64)
    if window.ruler.problem == "regression":
        error, squares = (table.sums[..., ERROR_SUMS.index(name)] for name in ("error", "squared_error"))
        return _Cells(rows, -error, np.zeros_like(rows), squares)
    said = table.sums[..., 0] * PROBABILITY_UNIT
    return _Cells(rows, table.counts[..., 1].astype(np.float64), said, np.zeros_like(rows))


def _stacked(parts: list[_Cells]) -> _Cells:
    return _Cells(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("rows", "true", "said", "squares")))


def _compared(
    names: tuple[tuple[Where, str, str], ...], here: _Cells, before: _Cells, window: SliceCounts
) -> GroupOutcomes:
    """The two corrections, and their variances; the first group is all rows."""
    regression = window.ruler.problem == "regression"
    bands = np.eye(int(window.ruler.bands.max()) + 1)[window.ruler.bands]
    rows, reference_rows = here.rows.sum(axis=1), before.rows.sum(axis=1)
    n, m = np.maximum(rows, 1.0), np.maximum(reference_rows, 1.0)
    mix, reference_mix = (here.rows @ bands) / n[:, None], (before.rows @ bands) / m[:, None]
    # The reference's error in each band, and a group's error beyond that.
    in_band = before.rows[0] @ bands
    gap, band_rows = _band_means((before.true[0] - before.said[0]) @ bands, in_band, window.ruler)
    kept = (before.true - before.said).sum(axis=1) / m - reference_mix @ gap
    expected = here.said.sum(axis=1) / n + mix @ gap + kept
    spread = _squares if regression else _binomial
    spread_here, spread_before = (spread(cells, bands @ gap).sum(axis=1) for cells in (here, before))
    by_band, _ = _band_means(spread(before, bands @ gap)[0] @ bands, in_band, window.ruler)
    return GroupOutcomes(
        names=names,
        rows=rows,
        reference_rows=reference_rows,
        observed=here.true.sum(axis=1) / n,
        expected=expected if regression else np.clip(expected, 0.5 / n, 1 - 0.5 / n),
        variance=spread_here / n**2,
        # A row of the group counts in both corrections: twice the product of its parts in each.
        reference_variance=np.maximum(
            spread_before / m**2 + ((mix - reference_mix) * (mix + reference_mix)) @ (by_band / band_rows), 0.0
        ),
        unit=math.sqrt(before.squares[0].sum() / m[0]) if regression else 1.0,
    )


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
