"""A window's rows by group, counted by Athena: slices, pairs of features, and groups of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa

from kedge.arrays import Ints
from kedge.slices.counts import PROBABILITY_UNIT, SliceCounts, SliceTable, no_slices
from kedge.slices.group_counts import UNKNOWN, GroupCounts, favourable_class
from kedge.slices.groupings import Grouping, coarse_codes
from kedge.slices.ruler import SliceRuler
from kedge.window_sql.joined import KNOWN, LEVELS, RowSql
from kedge.window_sql.parts import Counted, CountedPart, part
from kedge.window_sql.values import band_code, double, group_code, level_codes, rounded

T = TypeVar("T")

_ANSWERED = f"ak = {KNOWN}"
_MEASURED = f"ripe AND {_ANSWERED} AND ys = {KNOWN}"
# Columns that are grouped in one reading of the rows, and the bytes of their SQL: together they fit into a query.
_COLUMNS, _BYTES = 40, 100_000


@dataclass(frozen=True)
class GroupsSql:
    """What is counted by group.

    Attributes
    ----------
    rows : RowSql
    ruler : SliceRuler or None
        The champion's slices, their groups named as the YAML allows; None where its package has none.
    levels : mapping of str to Grouping
        Groups of the sensitive columns that are no features.
    """

    rows: RowSql
    ruler: SliceRuler | None = None
    levels: Mapping[str, Grouping] = field(default_factory=dict)

    def parts(self) -> list[str]:
        """Each SELECT of slices by one column, and of groups of people."""
        return [*self._slices(), *self._people()]

    def pairs(self, pairs: Sequence[tuple[str, ...]]) -> list[str]:
        """The SELECTs of slices by two columns."""
        places = self._places
        all_names = dict.fromkeys(name for pair in pairs for name in pair)
        groups = {name: self._group(self._of_slices.by_column[name], places[name]) for name in all_names}
        crossed = {pair: f"{self._crossed(pair)} AS x{self._number(pair)}" for pair in pairs}
        found = []
        # Each batch reads the columns of its own pairs: those of all together may be longer than a query.
        for some in _in_batches({pair: {sql, *(groups[name] for name in pair)} for pair, sql in crossed.items()}):
            names = [*dict.fromkeys(name for pair in some for name in pair)]
            source = self._measured([groups[name] for name in names], names)
            inner = f"(SELECT *, {', '.join(crossed[pair] for pair in some)} FROM {source}) AS p"  # noqa: S608
            numbers = map(self._number, some)
            found.append(self._by("pairs", inner, {number: f"x{number}" for number in numbers}))
        return found

    def read_singles(self, counted: Counted) -> SliceCounts | None:
        """The slices by one column, as `count_singles` counts them."""
        if self.ruler is None:
            return None
        names = {place: (grouping.column,) for place, grouping in enumerate(self.ruler.groupings)}
        return SliceCounts(self.ruler, self._tables(counted, "slices", names))

    def read_pairs(self, counted: Counted, singles: SliceCounts, pairs: Sequence[tuple[str, ...]]) -> SliceCounts:
        """The same with the pairs beside them, as `with_pairs` counts them."""
        numbers = {self._number(pair): pair for pair in pairs}
        return SliceCounts(singles.ruler, {**singles.tables, **self._tables(counted, "pairs", numbers)})

    def read_people(self, counted: Counted) -> tuple[GroupCounts, ...]:
        """The groups of each sensitive column, as `sensitive_counts` counts them."""
        found = []
        for place, grouping in enumerate(self._sensitive):
            named = grouping.shown_as(self.rows.config.hidden).names
            mine = counted.of("people").where("i", place)
            counts = np.zeros((len(named), 2, 3), np.int64)
            np.add.at(counts, (mine.key("a"), mine.key("b"), mine.key("c")), mine.rows)
            by_name = {name: counts[group] for group, name in enumerate(named) if counts[group].any()}
            found.append(GroupCounts(grouping.column, by_name))
        return tuple(found)

    @cached_property
    def _sensitive(self) -> tuple[Grouping, ...]:
        policy, known = self.rows.config.fairness, self.ruler.by_column if self.ruler else {}
        bands = {name: Grouping(name, "numeric", edges=tuple(sorted(edges))) for name, edges in policy.bands.items()}
        groups = {**self.levels, **known, **bands}
        return tuple(groups[name] for name in policy.columns if name in groups and self.rows.rows.value(name))

    def _slices(self) -> list[str]:
        if self.ruler is None:
            return []
        *features, own = self.ruler.groupings
        found = []
        code = "a" if self.ruler.classes else band_code("a", own.edges)
        columns = [self._group(grouping, place) for place, grouping in enumerate(features)]
        columns += [f"CAST({code} AS bigint) AS g{len(features)}"]
        for some in _in_batches({place: {sql} for place, sql in enumerate(columns)}):
            names = [features[place].column for place in some if place < len(features)]
            source = self._measured([columns[place] for place in some], names)
            found.append(self._by("slices", source, {place: f"g{place}" for place in some}))
        return found

    def _by(self, name: str, source: str, columns: Mapping[int, str]) -> str:
        sums = [f"sum(w{place})" for place in range(len(self._of_slices.sums))]
        return part(name, source, keys={"b": "cell", "c": "hit"}, sums=sums, each=columns)

    @property
    def _of_slices(self) -> SliceRuler:
        if self.ruler is None:
            raise ValueError("slices are counted where a package has them")
        return self.ruler

    def _group(self, grouping: Grouping, place: int) -> str:
        found = self.rows.rows.value(grouping.column)
        levels = f"m{self._level_places.get(grouping.column, '')}"
        code = group_code(*found, grouping, levels) if found else str(len(grouping.names) - 1)
        return f"CAST({code} AS bigint) AS g{place}"

    def level_rows(self) -> pa.Table:
        """The table of levels (`LEVELS`) that the queries look codes up in."""
        found: list[dict[str, int | str]] = []
        for name, place in self._level_places.items():
            value = self.rows.rows.value(name)
            codes = level_codes(value[1], self._by_level[name]) if value else {}
            found += [{"place": place, "txt": text, "code": code} for text, code in codes.items()]
        return pa.Table.from_pylist(found, LEVELS)

    @cached_property
    def _by_level(self) -> dict[str, Grouping]:
        known = self.ruler.groupings[:-1] if self.ruler else ()
        groupings = {**self.levels, **{grouping.column: grouping for grouping in known}}
        return {name: grouping for name, grouping in groupings.items() if grouping.kind == "categorical"}

    @cached_property
    def _level_places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self._by_level)}

    def _beside(self, names: Sequence[str]) -> str:
        return self.rows.rows.with_levels([self._level_places[name] for name in names if name in self._level_places])

    def _number(self, pair: tuple[str, ...]) -> int:
        """A pair by its columns' places in the ruler: who reads the counts need not choose the same pairs in the same order."""
        one, other = (self._places[name] for name in pair)
        return one * len(self._places) + other

    @cached_property
    def _places(self) -> dict[str, int]:
        return {grouping.column: place for place, grouping in enumerate(self._of_slices.groupings)}

    def _crossed(self, pair: tuple[str, ...]) -> str:
        (one, _), (two, others) = (coarse_codes(self._of_slices.by_column[name]) for name in pair)
        first, second = (_mapped(f"g{self._places[name]}", c) for name, c in zip(pair, (one, two), strict=True))
        return f"({first} * {len(others)} + {second})"

    def _measured(self, groups: Sequence[str], names: Sequence[str]) -> str:
        """The measured rows with their groups; the long SQL of a class's own probability stands there once."""
        own = [f"{self._own_chance} AS own"] if self._of_slices.is_scored and self._of_slices.classes else []
        source = f"{self.rows.select([*own, *groups], self._beside(names))} WHERE {_MEASURED}"
        return f"(SELECT *, {', '.join(self._measures)} FROM {source}) AS m"  # noqa: S608

    @property
    def _own_chance(self) -> str:
        places = range(len(self.rows.config.prediction.probabilities))
        chance = "".join(f" WHEN {k} THEN {self.rows.probability(k)}" for k in places)
        return f"(CASE a{chance} END)" if chance else "CAST(NULL AS double)"

    @property
    def _measures(self) -> list[str]:
        """Cell, outcome and sums of a row, as `SliceCounter` counts it."""
        ruler = self._of_slices
        if ruler.classes:
            return self._of_classes(ruler)
        cell = f"{band_code('a', ruler.edges)} AS cell"
        if ruler.problem == "binary_classification":
            return [cell, "CASE WHEN y = 1 THEN 1 ELSE 0 END AS hit", f"{_units('a')} AS w0"]
        return [cell, "0 AS hit", "a - y AS w0", "abs(a - y) AS w1", "(a - y) * (a - y) AS w2"]

    def _of_classes(self, ruler: SliceRuler) -> list[str]:
        hit = "CASE WHEN a = y THEN 1 ELSE 0 END AS hit"
        if not ruler.is_scored:
            return ["CAST(floor(a) AS bigint) AS cell", hit]
        apart = f"a * {len(ruler.edges) + 1} + " if ruler.apart > 1 else ""
        cell = f"{apart}{band_code('own', ruler.edges)}"
        known = "own BETWEEN 0E0 AND 1E0"
        return [
            f"CASE WHEN {known} THEN {cell} ELSE {ruler.cells - 1} END AS cell",
            hit,
            f"CASE WHEN {known} THEN {_units('own')} ELSE 0E0 END AS w0",
        ]

    def _people(self) -> list[str]:
        config, sensitive = self.rows.config, self._sensitive
        if not sensitive:
            return []
        policy = config.fairness
        if config.problem == "regression":
            selected, truth = (f"{side} >= {double(policy.threshold or 0.0)}" for side in ("a", "y"))
        else:
            favourable = favourable_class(config)
            selected, truth = f"a = {favourable}", f"y = {favourable}"
            if config.problem == "binary_classification":
                over = f"a >= {double(config.prediction.threshold)}"
                selected = over if favourable else f"NOT ({over})"
        known = f"CASE WHEN ripe AND ys = {KNOWN} THEN CASE WHEN {truth} THEN 1 ELSE 0 END ELSE {UNKNOWN} END"
        keys = [f"CASE WHEN {selected} THEN 1 ELSE 0 END AS selected", f"{known} AS truth"]
        groups = [self._group(grouping, place) for place, grouping in enumerate(sensitive)]
        found = []
        for some in _in_batches({place: {sql} for place, sql in enumerate(groups)}):
            beside = self._beside([sensitive[place].column for place in some])
            source = f"{self.rows.select([*keys, *(groups[place] for place in some)], beside)} WHERE {_ANSWERED}"
            columns = {place: f"g{place}" for place in some}
            found.append(part("people", source, keys={"b": "selected", "c": "truth"}, each=columns))
        return found

    def _tables(
        self, counted: Counted, name: str, columns: Mapping[int, tuple[str, ...]]
    ) -> dict[tuple[str, ...], SliceTable]:
        found = counted.of(name)
        return {
            each: _filled(no_slices(self._of_slices, each), found.where("i", place)) for place, each in columns.items()
        }


def _in_batches(needed: Mapping[T, AbstractSet[str]]) -> Iterator[list[T]]:
    """What one reading of the rows counts together, each batch filled with all that still fits into it.

    Parameters
    ----------
    needed : mapping of any to set of str
        The SQL of each; what several need stands in a query once.
    """
    left = dict(needed)
    while left:
        together, sql, size = list[T](), set[str](), 0
        for each, its in left.items():
            more = sum(len(text.encode()) for text in its - sql)
            if not together or (len(together) < _COLUMNS and size + more <= _BYTES):
                together.append(each)
                sql, size = sql | its, size + more
        yield together
        left = {each: its for each, its in left.items() if each not in together}


def _filled(table: SliceTable, found: CountedPart) -> SliceTable:
    if len(found):
        group, cell = found.key("a"), found.key("b")
        np.add.at(table.counts, (group, cell, found.key("c")), found.rows)
        for place in range(table.sums.shape[2]):
            np.add.at(table.sums, (group, cell, place), found.sums(place + 1))
    return table


def _mapped(column: str, codes: Ints) -> str:
    """A column's code looked up in a list of coarser ones."""
    return f"CASE {column}{''.join(f' WHEN {fine} THEN {coarse}' for fine, coarse in enumerate(codes))} END"


def _units(chance: str) -> str:
    return rounded(f"({chance} * {double(1 / PROBABILITY_UNIT)})")


def with_mark(levels: Mapping[str, Grouping], mark_key: str) -> dict[str, Grouping]:
    """The groups whose hidden levels are named by marks, alike in every window."""
    return {name: replace(grouping, mark_key=mark_key) for name, grouping in levels.items()}
