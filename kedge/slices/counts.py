"""Labelled rows counted by group, for segments, concept drift and their references; counts add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints
from kedge.config.model import ModelConfig
from kedge.errors import BaselineMismatchError
from kedge.outcomes.outcomes import Outcomes, read_outcomes
from kedge.own_columns import LABEL
from kedge.profile.baseline import Baseline
from kedge.slices.groupings import coarse_codes
from kedge.slices.ruler import SliceRuler, freeze_ruler, with_context

# Probabilities are added up in whole units of two millionths, so that sums are exact in any order.
PROBABILITY_UNIT = 2.0**-20
# A group with more of a window's rows than this is nearly the window itself, not a segment.
FRACTION_MAX = 0.75
# Rows a batch at a time: the values of the named features, and the outcomes of the same rows.
Batches = Callable[[tuple[str, ...]], Iterable[tuple[Mapping[str, Any], Outcomes]]]
# A stored reference holds every pair of this many features, the first ones in the model's YAML.
STORED_PAIR_COLUMNS = 30


@dataclass(frozen=True, eq=False)
class SliceTable:
    """One column's (or one pair's) groups.

    Attributes
    ----------
    names : tuple of tuple of str
        Of each group: its name in the column, or its names in both columns.
    counts : ndarray of int, shape (n_groups, n_cells, n_outcomes)
        Rows. A classification has two outcomes; the second is a positive label (binary) or a right answer.
    sums : ndarray of float, shape (n_groups, n_cells, n_sums)
        As `SliceRuler.sums` names them; `predicted` (for classes: of the answered one) in `PROBABILITY_UNIT`.
    """

    names: tuple[tuple[str, ...], ...]
    counts: Ints
    sums: Floats

    def __add__(self, other: SliceTable) -> SliceTable:
        return SliceTable(self.names, self.counts + other.counts, self.sums + other.sums)

    @property
    def rows(self) -> Ints:
        """Rows per group."""
        return np.asarray(self.counts.sum(axis=(1, 2)))

    @classmethod
    def stacked(cls, tables: Sequence[SliceTable]) -> SliceTable:
        """The groups of several tables of one ruler below each other."""
        names = tuple(name for table in tables for name in table.names)
        return cls(names, *(np.concatenate([getattr(table, part) for table in tables]) for part in ("counts", "sums")))


@dataclass(frozen=True, eq=False)
class SliceCounts:
    """Tables by column, or by pair of columns; they add if the ruler is the same."""

    ruler: SliceRuler
    tables: Mapping[tuple[str, ...], SliceTable]

    def __add__(self, other: SliceCounts) -> SliceCounts:
        if self.ruler != other.ruler or self.tables.keys() != other.tables.keys():
            raise BaselineMismatchError(expected=self.ruler.key(), found=other.ruler.key())
        return SliceCounts(self.ruler, {name: table + other.tables[name] for name, table in self.tables.items()})

    def shown_as(self, hidden: Mapping[str, bool]) -> SliceCounts:
        """The same counts, with group names as the YAML allows."""
        ruler = self.ruler.shown_as(hidden)
        tables = {name: replace(table, names=group_names(ruler, name)) for name, table in self.tables.items()}
        return SliceCounts(ruler, tables)

    @cached_property
    def total(self) -> SliceTable:
        """All rows as one group: every row is in one group of any column."""
        table = self.tables[(self.ruler.groupings[-1].column,)]
        return SliceTable((("all rows",),), table.counts.sum(axis=0)[None], table.sums.sum(axis=0)[None])


def group_names(ruler: SliceRuler, columns: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Each group's name in one column, or names in two."""
    if len(columns) == 1:
        return tuple((name,) for name in ruler.by_column[columns[0]].names)
    first, second = (coarse_codes(ruler.by_column[column])[1] for column in columns)
    return tuple((a, b) for a in first for b in second)


def no_slices(ruler: SliceRuler, columns: tuple[str, ...]) -> SliceTable:
    """The table of no rows."""
    names = group_names(ruler, columns)
    size = (len(names), ruler.cells)
    return SliceTable(names, np.zeros((*size, ruler.outcomes), np.int64), np.zeros((*size, len(ruler.sums))))


def row_groups(ruler: SliceRuler, columns: Mapping[str, Any]) -> dict[str, NDArray[np.int16]]:
    """The group of each row in some of the ruler's columns.

    Parameters
    ----------
    columns : mapping of str to Array
        Values of any of the ruler's columns but the answer's own.
    """
    # Two bytes a row and column are kept for the pairs.
    return {name: ruler.by_column[name].codes(values).astype(np.int16) for name, values in columns.items()}


class SliceCounter:
    """Counts the groups of one batch of rows: single columns, and then the requested pairs."""

    def __init__(self, ruler: SliceRuler, groups: Mapping[str, NDArray[np.int16]], outcomes: Outcomes) -> None:
        """Look up each answer's cell once.

        Parameters
        ----------
        groups : mapping of str to ndarray of int, shape (n_rows,)
            As `row_groups` finds them in the ruler's columns, without the answer's own; pairs need only their own columns.
        """
        self._ruler, self._codes = ruler, dict(groups)
        cells, hits, self._weights = _cells_of(ruler, outcomes)
        self._places = cells * ruler.outcomes + hits
        self._cells = cells
        own = outcomes.answers if ruler.classes else ruler.bands[cells]
        self._codes[ruler.groupings[-1].column] = own.astype(np.int16)

    def singles(self) -> SliceCounts:
        """Every column by itself."""
        tables: dict[tuple[str, ...], SliceTable] = {
            (name,): self._counted(self._codes[name], group_names(self._ruler, (name,)))
            for name in self._ruler.by_column
        }
        return SliceCounts(self._ruler, tables)

    def pair(self, first: str, second: str) -> SliceTable:
        """Two columns crossed, each with coarser groups."""
        (one, _), (two, others) = (coarse_codes(self._ruler.by_column[name]) for name in (first, second))
        codes = one[self._codes[first]] * len(others) + two[self._codes[second]]
        return self._counted(codes, group_names(self._ruler, (first, second)))

    def _counted(self, groups: NDArray[Any], names: tuple[tuple[str, ...], ...]) -> SliceTable:
        codes = groups.astype(np.int64)
        cells, outcomes = self._ruler.cells, self._ruler.outcomes
        size = len(names) * cells
        counts = np.bincount(codes * (cells * outcomes) + self._places, minlength=size * outcomes)
        inside = codes * cells + self._cells
        sums = [np.bincount(inside, weights, size).reshape(len(names), cells) for weights in self._weights]
        return SliceTable(
            names,
            counts.reshape(len(names), cells, outcomes).astype(np.int64),
            np.stack(sums, axis=-1) if sums else np.zeros((len(names), cells, 0)),
        )


def _cells_of(ruler: SliceRuler, outcomes: Outcomes) -> tuple[Ints, Ints, list[Floats]]:
    """Each row's cell, its outcome, and its parts of the sums."""
    answers, labels = outcomes.answers, outcomes.labels
    if ruler.classes:
        codes, hits = answers.astype(np.int64), (answers == labels).astype(np.int64)
        if not ruler.is_scored:
            return codes, hits, []
        cells, own = ruler.confidence_cells(codes, outcomes.probabilities)
        return cells, hits, [np.rint(own / PROBABILITY_UNIT)]
    cells = np.searchsorted(np.array(ruler.edges), answers, side="left").astype(np.int64)
    if ruler.problem == "binary_classification":
        return cells, (labels == 1).astype(np.int64), [np.rint(answers / PROBABILITY_UNIT)]
    with np.errstate(over="ignore"):
        errors = (answers - labels).astype(np.float64)
        return cells, np.zeros(len(cells), np.int64), [errors, np.abs(errors), errors**2]


def count_singles(ruler: SliceRuler, batches: Batches) -> SliceCounts:
    """Every feature's groups, and the answer's bands."""
    total = SliceCounts(ruler, {(g.column,): no_slices(ruler, (g.column,)) for g in ruler.groupings})
    for columns, outcomes in batches(tuple(grouping.column for grouping in ruler.groupings[:-1])):
        total = total + SliceCounter(ruler, row_groups(ruler, columns), outcomes).singles()
    return total


def with_pairs(counted: SliceCounts, batches: Batches, pairs: Iterable[tuple[str, ...]]) -> SliceCounts:
    """The same counts with some pairs of features beside them."""
    tables = {pair: no_slices(counted.ruler, pair) for pair in pairs}
    names = tuple(dict.fromkeys(name for pair in tables for name in pair))
    for columns, outcomes in batches(names) if tables else ():
        counter = SliceCounter(counted.ruler, row_groups(counted.ruler, columns), outcomes)
        tables = {pair: table + counter.pair(*pair) for pair, table in tables.items()}
    return SliceCounts(counted.ruler, {**counted.tables, **tables})


def count_reference(ruler: SliceRuler, batches: Batches) -> SliceCounts:
    """All that a window may need from a stored reference: every feature, and every pair."""
    features = [grouping.column for grouping in ruler.groupings[:-1]][:STORED_PAIR_COLUMNS]
    return with_pairs(count_singles(ruler, batches), batches, combinations(features, 2))


def slice_reference(baseline: Baseline, holdout: pa.Table, config: ModelConfig) -> SliceCounts:
    """Count the champion's holdout by slice: its windows will be compared with it.

    Parameters
    ----------
    holdout : Table
        The features, the answers under the prediction's name, and `label`; rows that the model has not learnt from.
    """
    ruler = freeze_ruler(baseline, config.problem, classes=config.classes, columns=config.segments.columns)
    ruler = with_context(ruler, holdout, config)
    outcomes, faults = read_outcomes(holdout, config.prediction.name, LABEL, config)
    kept = holdout.filter(pa.array(faults.kept))
    return count_reference(ruler, lambda names: [({name: kept.column(name) for name in names}, outcomes)])
