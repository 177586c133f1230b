"""Slices of rows that come in batches: every feature, and the pairs that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

from kedge.outcomes import Outcomes
from kedge.slice_ruler import SliceRuler
from kedge.slices import SliceCounter, SliceCounts, no_slices

# Rows a batch at a time: the values of the features that are named, and the outcomes of the same rows.
Batches = Callable[[tuple[str, ...]], Iterable[tuple[Mapping[str, Any], Outcomes]]]
# A stored reference holds every pair of so many features, the first of the model's YAML.
STORED_PAIR_COLUMNS = 30


def count_singles(ruler: SliceRuler, batches: Batches) -> SliceCounts:
    """Every feature's groups, and the answer's bands."""
    total = SliceCounts(ruler, {(g.column,): no_slices(ruler, (g.column,)) for g in ruler.groupings})
    for columns, outcomes in batches(tuple(grouping.column for grouping in ruler.groupings[:-1])):
        total = total + SliceCounter(ruler, columns, outcomes).singles()
    return total


def with_pairs(counted: SliceCounts, batches: Batches, pairs: Iterable[tuple[str, ...]]) -> SliceCounts:
    """The same counts with some pairs of features beside them."""
    tables = {pair: no_slices(counted.ruler, pair) for pair in pairs}
    names = tuple(dict.fromkeys(name for pair in tables for name in pair))
    for columns, outcomes in batches(names) if tables else ():
        counter = SliceCounter(counted.ruler, columns, outcomes)
        tables = {pair: table + counter.pair(*pair) for pair, table in tables.items()}
    return SliceCounts(counted.ruler, {**counted.tables, **tables})


def count_reference(ruler: SliceRuler, batches: Batches) -> SliceCounts:
    """All that a window may ask of a stored reference: every feature, and every pair."""
    features = [grouping.column for grouping in ruler.groupings[:-1]][:STORED_PAIR_COLUMNS]
    return with_pairs(count_singles(ruler, batches), batches, combinations(features, 2))
