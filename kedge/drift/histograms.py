"""Baseline beside window in a few bars per column, as a page shows them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from typing import Any

import numpy as np

from kedge.arrays import Ints
from kedge.columns.shown_values import place_of
from kedge.profile.baseline import Baseline, ColumnCounts, Profile
from kedge.profile.bins import Bins

BARS = 16
# Values beyond these quantiles of the baseline share the outer bars, so that one outlier does not hide the rest.
OUTER_QUANTILE = 0.005
LARGEST_WHOLE = 2.0**52


def histograms(baseline: Baseline, window: Profile, hidden: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Bars of every column: `labels`, and the fractions of the valued rows in each on both sides.

    Columns without values on either side are left out.

    Parameters
    ----------
    baseline : Baseline
    window : Profile
        Counted with it.
    hidden : collection of str
        Columns whose bars are numbered instead of named.
    """
    found = {}
    for column in baseline.columns:
        before, now = baseline.own[column.name], baseline.column(window, column.name)
        if before.with_unseen.sum() and now.with_unseen.sum():
            bars = _numeric_bars if column.is_number else _level_bars
            labels, b, w = bars(baseline.bins[column.name], before, now)
            kind = "bar" if column.is_number else "level"
            found[column.name] = {
                "labels": [place_of(kind, i, len(labels)) for i in range(len(labels))]
                if column.name in hidden
                else labels,
                "baseline": (b / max(b.sum(), 1)).round(6).tolist(),
                "window": (w / max(w.sum(), 1)).round(6).tolist(),
            }
    return found


def _numeric_bars(bins: Bins, before: ColumnCounts, now: ColumnCounts) -> tuple[list[str], Ints, Ints]:
    """Bars of equal width, because people compare areas; each fine cell goes into the bar with its upper edge."""
    cumulative = np.cumsum(before.cells) / max(int(before.cells.sum()), 1)
    upper = np.append(bins.edges, bins.edges[-1])
    low, high = (float(upper[np.searchsorted(cumulative, q)]) for q in (OUTER_QUANTILE, 1 - OUTER_QUANTILE))
    values = np.unique(upper[before.cells > 0])
    if len(values) <= BARS:
        edges = values[:-1]
        labels = [f"{value:.4g}" for value in values]
    elif low == high:
        edges = np.array([np.nextafter(low, -np.inf), low])
        labels = [f"below {low:.4g}", f"{low:.4g}", f"above {low:.4g}"]
    elif high - low < LARGEST_WHOLE and (values == np.round(values)).all():
        # A bar that covers one whole number more than its neighbour would show a false peak.
        step = math.ceil((high - low + 1) / BARS)
        firsts = np.arange(low, high + 1, step)
        edges = firsts[1:] - 0.5
        labels = [f"{a:.6g}" if step == 1 else f"{a:.6g} to {a + step - 1:.6g}" for a in firsts]
    else:
        # Scaled down first, because the difference of two large floats may overflow.
        marks = np.linspace(low / BARS, high / BARS, BARS + 1) * BARS
        edges = marks[1:-1]
        labels = [f"{a:.4g} to {z:.4g}" for a, z in itertools.pairwise(marks)]
    bar = np.searchsorted(edges, upper, side="left")
    size = len(edges) + 1
    b, w = (np.bincount(bar, counts.cells, size).astype(np.int64) for counts in (before, now))
    return labels, b, w


def _level_bars(bins: Bins, before: ColumnCounts, now: ColumnCounts) -> tuple[list[str], Ints, Ints]:
    """The baseline's most frequent levels, then the others together, then the unseen."""
    shown = min(len(bins.levels), BARS - 2)
    labels = list(bins.levels[:shown])
    sides = []
    for counts in (before, now):
        rest = [int(counts.cells[shown:].sum())] if len(bins.levels) > shown else []
        sides.append(np.array([*counts.cells[:shown], *rest, counts.unseen], np.int64))
    labels += [f"{len(bins.levels) - shown} other levels"] if len(bins.levels) > shown else []
    if not (sides[0][-1] or sides[1][-1]):
        return labels, sides[0][:-1], sides[1][:-1]
    return [*labels, "not in the baseline"], sides[0], sides[1]
