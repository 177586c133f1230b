"""How one column is cut into a few groups, which make slices: bands of a number, levels of a category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.arrays import Ints
from kedge.columns.casting import cast_numbers, cast_text
from kedge.columns.class_codes import class_codes
from kedge.columns.shown_values import hides_values, mark_of, place_of

BANDS, LEVELS = 10, 20
# This many rows, always the same ones of a column, are enough to find the bands.
_SAMPLE_ROWS = 100_000
OTHER, MISSING = "other", "missing"
_EDGES_COMPARED = 32


@dataclass(frozen=True)
class Grouping:
    """One column's groups, frozen on the reference rows: bands (a, b] between `edges`, or `levels`.

    After the bands comes one group for missing values. After the levels comes one for all other levels, then one
    for missing values.

    Attributes
    ----------
    known : int
        Number of the column's levels, including those in the group "other".
    hidden : bool
        Whether groups are named by their place instead of their values (`kedge.columns.shown_values`).
    mark_key : str
        With it hidden levels are named by a mark in place of their place: the same level has the same mark, whatever other rows
        are there. Who does not have the key cannot tell whose mark it is.

    >>> Grouping("age", "numeric", edges=(25.0, 40.0)).names
    ('at most 25', '25 to 40', 'above 40', 'missing')
    >>> Grouping("sex", "categorical", levels=("f", "m")).names
    ('f', 'm', 'other', 'missing')
    """

    column: str
    kind: Literal["numeric", "categorical"]
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    known: int = 0
    hidden: bool = False
    mark_key: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Each group's name, in the order of the codes."""
        if self.hidden and self.mark_key and self.kind == "categorical":
            return (*(mark_of(self.mark_key, self.column, level) for level in self.levels), OTHER, MISSING)
        if self.hidden:
            word, groups, of = ("level", len(self.levels), self.levels_known)
            if self.kind == "numeric":
                word, groups, of = ("band", len(self.edges) + 1, len(self.edges) + 1)
            told = tuple(place_of(word, place, of) for place in range(groups))
            return (*told, *((OTHER, MISSING) if self.kind == "categorical" else (MISSING,)))
        if self.kind == "categorical":
            return (*self.levels, OTHER, MISSING)
        if not self.edges:
            return ("any number", MISSING)
        cuts = [f"{edge:.6g}" for edge in self.edges]
        between = [f"{low} to {high}" for low, high in pairwise(cuts)]
        return (f"at most {cuts[0]}", *between, f"above {cuts[-1]}", MISSING)

    @property
    def levels_known(self) -> int:
        """Number of the column's levels, as far as they were counted."""
        return max(self.known, len(self.levels))

    def shown_as(self, hidden: Mapping[str, bool]) -> Grouping:
        """The same groups, with names as the YAML allows (`ModelConfig.hidden`).

        >>> Grouping("sex", "categorical", levels=("f", "m")).shown_as({"sex": True}).names
        ('level 1 of 2', 'level 2 of 2', 'other', 'missing')
        """
        return replace(self, hidden=hides_values(self.column, self.levels_known, hidden))

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.names)

    def codes(self, values: Any) -> Ints:
        """Group of each value.

        Parameters
        ----------
        values : Array or ChunkedArray
            Numbers or text, as the rows of both sides have them.

        >>> Grouping("age", "numeric", edges=(25.0, 40.0)).codes(pa.array(["25", "26", "", "99"])).tolist()
        [0, 1, 3, 2]
        """
        if self.kind == "categorical":
            return _level_codes(values, self.levels)
        numbers = cast_numbers(values, "float64").values
        # With few edges, comparing with each costs a fraction of a search per value; of a byte each, far less than of eight.
        if len(self.edges) < _EDGES_COMPARED:
            bands = np.zeros(len(numbers), np.int8)
            for edge in self.edges:
                bands += (numbers > edge).view(np.int8)
            found = bands.astype(np.int64)
        else:
            found = np.searchsorted(np.array(self.edges), numbers).astype(np.int64)
        found[np.isnan(numbers)] = len(self.edges) + 1
        return found


def freeze_grouping(
    column: str,
    kind: Literal["numeric", "categorical"],
    values: Any,
    *,
    bands: int = BANDS,
    levels: int = LEVELS,
) -> Grouping:
    """Cut a column by the reference's own values.

    Numeric: at most `bands` bands of about equal rows; a value that many rows share is never split. If there are no
    more distinct values than bands, each value is a band. Categorical: the `levels` most frequent ones, ties by name.

    >>> freeze_grouping("x", "numeric", pa.array([1, 1, 1, 2, 3, 4]), bands=3).edges
    (1.0, 2.0)
    >>> freeze_grouping("x", "categorical", pa.array(["b", "a", "b", "c"]), levels=2).levels
    ('b', 'a')
    """
    if kind == "categorical":
        counts = pc.value_counts(cast_text(values).drop_null()).to_pylist()
        ordered = sorted(counts, key=lambda level: (-level["counts"], level["values"]))
        return Grouping(column, kind, levels=tuple(level["values"] for level in ordered[:levels]), known=len(ordered))
    numbers = cast_numbers(values, "float64").values
    return Grouping(column, kind, edges=band_edges(numbers, bands))


def band_edges(numbers: NDArray[np.float64], bands: int) -> tuple[float, ...]:
    """Inner edges of at most `bands` bands of about equal rows; the last value of a band is its edge.

    >>> band_edges(np.array([3.0, 1.0, 2.0, 4.0]), 2)
    (2.0,)
    """
    finite = numbers[np.isfinite(numbers)]
    if len(finite) > _SAMPLE_ROWS:
        finite = np.random.default_rng(0).choice(finite, _SAMPLE_ROWS)
    finite = np.sort(finite)
    if not len(finite):
        return ()
    distinct = np.unique(finite)
    if len(distinct) > bands:
        places = np.arange(1, bands) * len(finite) // bands - 1
        distinct = np.unique(np.append(finite[np.maximum(places, 0)], finite[-1]))
    return tuple(distinct[:-1].tolist())


def coarse_codes(grouping: Grouping, *, groups: int = 5) -> tuple[Ints, tuple[str, ...]]:
    """Fewer groups of the same column, for pairs: the coarse group of each group, and the coarse names.

    Neighbouring bands are joined; the most frequent levels stay. Missing values stay apart.

    >>> coarse_codes(Grouping("age", "numeric", edges=(1.0, 2.0, 3.0)), groups=2)[1]
    ('at most 2', 'above 2', 'missing')
    """
    if grouping.kind == "categorical":
        kept = replace(grouping, levels=grouping.levels[: groups - 1])
        known = np.minimum(np.arange(len(grouping.levels) + 1), len(kept.levels))
    else:
        bands = len(grouping.edges) + 1
        known = np.arange(bands) * min(groups, bands) // bands
        last = np.flatnonzero(np.diff(known))
        kept = replace(grouping, edges=tuple(grouping.edges[i] for i in last))
    return np.append(known, kept.groups - 1).astype(np.int64), kept.names


def _level_codes(values: Any, levels: tuple[str, ...]) -> Ints:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    coded = array if pa.types.is_dictionary(array.type) else cast_text(array).dictionary_encode()
    # Each distinct text is looked up once, in any spelling; a value without a code is missing.
    found = class_codes(coded.dictionary, levels).codes
    groups = np.append(np.where(found >= 0, found, len(levels) + (found == -1)), len(levels) + 1)
    codes = coded.indices.cast(pa.int64()).fill_null(len(groups) - 1)
    return np.asarray(groups[codes.to_numpy(zero_copy_only=False)])
