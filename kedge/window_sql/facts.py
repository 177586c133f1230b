"""What is counted of a window's joined rows first: how many, how late their labels came, and what the other counts must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from kedge.arrays import Ints
from kedge.columns.casting import cast_text
from kedge.labels.facts import LabelFacts, LabelFaults
from kedge.labels.horizon import MINUTES, LabelHorizon, TimeCounts, horizon_of_counts
from kedge.labels.join_sql import sql_moment
from kedge.outcomes.score_cells import MAXIMUM_CELLS
from kedge.own_columns import COLLECTED
from kedge.slices.group_counts import LEVELS_MAX
from kedge.slices.groupings import Grouping
from kedge.window_sql.joined import KNOWN, REPEATED, JoinedRows, RowSql
from kedge.window_sql.parts import Counted, CountedPart, part, total
from kedge.window_sql.values import bits, is_missing, number, score_cell

_MINUTE_MS, _DAY_MS = 6e4, 8.64e7
# Where more different scores may be than cells, this many more bits are cleared: then no scores have more cells.
_CLEARED_BITS = 14
# What is left for the error of an estimate of their number.
_SURELY = 0.8
# More than are shown: of equally frequent levels the text decides, and a number's text is known here alone.
_LEVELS_READ = 1_000


@dataclass(frozen=True)
class FactsSql:
    """The first query over the joined rows.

    Attributes
    ----------
    rows : RowSql
        No row is ripe yet.
    classes : tuple of str
        The YAML's present classes, where the package was released with others.
    levels_of : tuple of str
        Sensitive columns whose groups are their own most frequent levels.
    """

    rows: RowSql
    classes: tuple[str, ...] = ()
    levels_of: tuple[str, ...] = ()

    def parts(self) -> list[str]:
        """Each SELECT."""
        levels = [select for place, name in enumerate(self.levels_of) for select in self._levels(place, name)]
        return [self._rows(), self._answers(), self._repeated(), *self._minutes(), *levels]

    def _rows(self) -> str:
        newer = self.rows.code_of_label(self.classes) if self.classes else "-1"
        sums = [
            total(f"ys = {KNOWN}"),
            total("ys < 0 AND newer < 0"),
            total("ys < 0 AND newer >= 0"),
            f"max({self._since('t')})",
            # A label that was collected before its row was answered came at once.
            f"min(CASE WHEN ys = {KNOWN} THEN {self._since('greatest(t, collected)')} END)",
        ]
        return part("rows", self.rows.select([f"{newer} AS newer", f"{self._collected} AS collected"]), sums=sums)

    def _answers(self) -> str:
        named, scored = self.rows.named_and_scored()
        cell = score_cell("a", 0) if self.rows.config.problem == "binary_classification" else "0"
        mean = f"avg(CASE WHEN ys = {KNOWN} THEN y END)" if self.rows.is_regression else "0E0"
        source = self.rows.select([f"{named} AS named", f"{scored} AS scored"])
        sums = [total("named"), total("scored"), f"approx_distinct(CASE WHEN scored THEN {cell} END)", mean]
        return part("answers", source, sums=sums)

    def _repeated(self) -> str:
        rows = self.rows.rows
        repeated = f"(SELECT {rows.column(REPEATED)} AS said FROM {rows.source(repeated=True)}) AS r"  # noqa: S608
        return part("repeated", repeated, sums=[total("said = 2")])

    def _minutes(self) -> list[str]:
        outcome = "0" if self.rows.is_regression else "y"
        source = f"{self.rows.select([f'{self._collected} AS collected'])} WHERE ys = {KNOWN}"
        spans = {"delays": "date_diff('millisecond', t, greatest(t, collected))", "ages": self._since("t")}
        return [
            part(name, source, keys={"a": outcome, "b": f"floor(CAST({span} AS double) / {_MINUTE_MS:.0f}E0)"})
            for name, span in spans.items()
        ]

    def _levels(self, place: int, name: str) -> list[str]:
        found = self.rows.rows.value(name)
        if found is None:
            return []
        column, kind = found
        # A number goes by its bits: engines spell it differently.
        text = pa.types.is_string(kind)
        level, known = (column, is_missing(column)) if text else (bits(number(column, kind)), f"{column} IS NULL")
        source = f"(SELECT {level} AS level FROM {self.rows.rows.source()} AND NOT {known}) AS r"  # noqa: S608
        levels = part("levels", source, keys={"i": str(place), "txt" if text else "a": "level"})
        known = part("known_levels", source, keys={"i": str(place)}, sums=["count(DISTINCT level)"])
        most = f"({levels} ORDER BY count(*) DESC, level LIMIT {_LEVELS_READ}) AS most"
        return [f"SELECT * FROM {most}", known]  # noqa: S608

    @property
    def _collected(self) -> str:
        return self.rows.rows.column(COLLECTED)

    def _since(self, time: str) -> str:
        return f"date_diff('millisecond', {time}, {sql_moment(self.rows.rows.now)})"


@dataclass(frozen=True)
class JoinedFacts:
    """What the first query says.

    Attributes
    ----------
    labels : LabelFacts
    delays, ages : mapping of int to TimeCounts
        Of the labelled rows, by outcome (0 for a regression), in whole minutes.
    oldest_days : float
        Age of the first row.
    as_classes : bool
        Whether a two-class model's numbers are its classes instead of probabilities.
    cleared_bits : int
        Last bits of the scores' cells that are cleared, so that they are not too many.
    mean_label : float
        Of a regression.
    levels : mapping of str to Grouping
        Groups of the sensitive columns that have only their own levels.
    """

    labels: LabelFacts
    delays: Mapping[int, TimeCounts] = field(default_factory=dict)
    ages: Mapping[int, TimeCounts] = field(default_factory=dict)
    oldest_days: float = 0.0
    as_classes: bool = False
    cleared_bits: int = 0
    mean_label: float = 0.0
    levels: Mapping[str, Grouping] = field(default_factory=dict)

    def horizon(self, quantile: float, names: tuple[str, ...]) -> LabelHorizon:
        """The horizon learnt from these rows, as `LabelledRows.horizon` learns it."""
        both = {outcome: (self.delays[outcome], self.ages[outcome]) for outcome in sorted(self.delays)}
        return horizon_of_counts(both, quantile=quantile, names=names)

    def ripe_until(self, now: datetime, horizon_days: float | None) -> datetime | None:
        """The last instant of rows whose label is believed."""
        return None if horizon_days is None else now - timedelta(days=horizon_days)


def read_facts(counted: Counted, sql: FactsSql, *, unmatched: int = 0) -> JoinedFacts:
    """Read what `FactsSql` has counted."""
    rows, answers, repeated = (counted.of(name) for name in ("rows", "answers", "repeated"))
    delays, ages = (_by_outcome(counted, name) for name in ("delays", "ages"))
    labelled = [each for each in delays.values() if each.total]
    labels = LabelFacts(
        rows=int(rows.rows.sum()),
        delays=_together(labelled),
        newest_days=rows.total(5) / _DAY_MS if labelled else None,
        faults=LabelFaults(
            strange=int(rows.total(2)),
            newer=int(rows.total(3)),
            unmatched=unmatched,
            repeated=int(repeated.rows.sum()),
            conflicting=int(repeated.total(1)),
        ),
    )
    named, scored, distinct = (answers.total(place) for place in (1, 2, 3))
    variants = max(len(sql.rows.config.endpoint.variants), 1)
    return JoinedFacts(
        labels,
        delays,
        ages,
        oldest_days=rows.total(4) / _DAY_MS,
        as_classes=bool(named) and named >= scored,
        cleared_bits=_CLEARED_BITS if distinct * variants > _SURELY * MAXIMUM_CELLS else 0,
        mean_label=answers.total(4),
        levels={name: _grouping(counted, place, name, sql.rows.rows) for place, name in enumerate(sql.levels_of)},
    )


def _by_outcome(counted: Counted, name: str) -> dict[int, TimeCounts]:
    found = counted.of(name)
    if not len(found):
        return {}
    by_outcome = {int(outcome): found.where("a", int(outcome)) for outcome in np.unique(found.key("a"))}
    return {outcome: _times(each.key("b"), each.rows) for outcome, each in by_outcome.items()}


def _times(minutes: Ints, rows: Ints) -> TimeCounts:
    order = np.argsort(minutes)
    return TimeCounts(minutes[order] / MINUTES, rows[order])


def _together(counts: list[TimeCounts]) -> TimeCounts:
    if not counts:
        return TimeCounts(np.zeros(0), np.zeros(0, np.int64))
    days, places = np.unique(np.concatenate([each.days for each in counts]), return_inverse=True)
    rows = np.bincount(places, np.concatenate([each.rows for each in counts])).astype(np.int64)
    return TimeCounts(days, rows)


def _grouping(counted: Counted, place: int, name: str, rows: JoinedRows) -> Grouping:
    most = counted.of("levels").where("i", place)
    found = rows.value(name)
    texts = _spelt(most, found[1]) if found and len(most) else []
    ordered = sorted(zip(texts, most.rows.tolist(), strict=True), key=lambda level: (-level[1], level[0]))[:LEVELS_MAX]
    known = counted.of("known_levels").where("i", place)
    return Grouping(name, "categorical", levels=tuple(text for text, _ in ordered), known=int(known.total(1)))


def _spelt(levels: CountedPart, kind: pa.DataType) -> list[str]:
    """The levels as memory spells them."""
    if pa.types.is_string(kind):
        return levels.texts()
    numbers = pa.array(levels.key("a").view(np.float64)).cast(kind, safe=False)
    texts: list[str] = cast_text(numbers).to_pylist()
    return texts
