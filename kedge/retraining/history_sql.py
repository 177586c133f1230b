"""The rows of a retraining as Athena selects them: joined with their labels, each id once, counted, and those that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from kedge.config.model import ModelConfig
from kedge.labels.join_sql import RUN, CatalogueTable, answers_schema, last_first, literal, quoted, sql_moment
from kedge.own_columns import COLLECTED, LABEL, ROW_ID, TIME
from kedge.retraining.population import Population, moment
from kedge.retraining.selection import HASH_BITS, Pool, hash_limit
from kedge.retraining.snapshot import Slice

# Which schema's rows a row is of, by its place among them.
ANSWERED_AS = "kedge_answered_as"
# What counting gives: group's hour or time, class code (-1 without a label), rows; of hours also whether in the slice, first time.
BY_HOUR = pa.schema(
    [("time", pa.timestamp("us")), ("code", pa.int64()), ("inside", pa.bool_()), ("rows", pa.int64()), ("first", pa.timestamp("us"))]
)  # fmt: skip
BY_TIME = pa.schema([("time", pa.timestamp("us")), ("code", pa.int64()), ("rows", pa.int64())])
_TYPES = {pa.string(): "varchar", pa.float64(): "double", pa.float32(): "real"}


@dataclass(frozen=True)
class AnswersOfSchema:
    """Rows that were answered in one schema, as Athena reads them.

    Attributes
    ----------
    answered : ModelConfig
        The schema.
    table : CatalogueTable
    run : str
        Names the list of objects that are read.
    columns : tuple of str
        The features, and what else is fetched.
    """

    answered: ModelConfig
    table: CatalogueTable
    run: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class HistoryQueries:
    """Athena's queries over everything that was answered and labelled in a window.

    Attributes
    ----------
    config : ModelConfig
        Of the model that is trained.
    schemas : sequence of AnswersOfSchema
    labels : CatalogueTable
    labels_run : str
        Names the list of the labels' objects.
    database : str
        Of the catalogue.
    usable : Slice
    now : datetime
        Labels that were not collected before it are not known.
    """

    config: ModelConfig
    schemas: Sequence[AnswersOfSchema]
    labels: CatalogueTable
    labels_run: str
    database: str
    usable: Slice
    now: datetime

    def by_hour(self) -> str:
        """Count the rows that are old enough, also from before the slice, in the columns of `BY_HOUR`."""
        inside = f"answered >= {sql_moment(self.usable.start)}"
        return (
            f"SELECT date_trunc('hour', answered) AS c0, {self._code()} AS c1, {inside} AS c2, count(*) AS c3, min(answered) AS c4\n"
            f"FROM (\n{self._joined(())}\n) AS j WHERE answered < {sql_moment(self.usable.ripe_until)}\n"
            f"GROUP BY date_trunc('hour', answered), {self._code()}, {inside}"
        )

    def by_time(self, hour: datetime) -> str:
        """Count the labelled rows of one hour, in the columns of `BY_TIME`."""
        within = f"answered >= {sql_moment(hour)} AND answered < {sql_moment(hour + timedelta(hours=1))}"
        return (
            f"SELECT answered AS c0, {self._code()} AS c1, count(*) AS c2\n"
            f"FROM (\n{self._joined(())}\n) AS j WHERE {self._usable()} AND {within}\n"
            f"GROUP BY answered, {self._code()}"
        )

    def wanted(self, population: Population, pools: Sequence[Pool], holdout: int) -> str:
        """Select the rows of the pools, and `holdout` rows of the holdout, in the columns of `schema`; few more by their hashes."""
        if population.boundary is None:
            return self._selected("1 = 0")
        until = sql_moment(population.boundary)
        sides = [self._of_pool(pool, until) for pool in pools]
        sides.append(f"(answered > {until}{_below(hash_limit(holdout, population.holdout))})")
        return self._selected("\n  OR ".join(sides))

    @property
    def schema(self) -> pa.Schema:
        """Columns of the wanted rows: own ones, then each value's under its name and type, one after the other."""
        times = pa.timestamp("us", "UTC")
        own = [
            (ROW_ID, pa.string()),
            (TIME, times),
            (ANSWERED_AS, pa.int64()),
            (LABEL, pa.string()),
            (COLLECTED, times),
        ]
        return pa.schema([*own, *((f"v{place}", kind) for place, (_, kind) in enumerate(self._values()))])

    def of_schema(self, rows: pa.Table, place: int) -> pa.Table:
        """Rows of `schema` that were answered in one schema, as that schema names its columns."""
        one, values = self.schemas[place], self._values()
        mine = answers_schema(one.answered)
        names = {f"v{values.index((name, mine.field(name).type))}": name for name in one.columns}
        rows = rows.filter(pc.equal(rows.column(ANSWERED_AS), place))
        rows = rows.select([ROW_ID, TIME, *names, LABEL, COLLECTED])
        return rows.rename_columns([names.get(name, name) for name in rows.column_names])

    def _values(self) -> list[tuple[str, pa.DataType]]:
        """Every column of every schema once; one that has another type in another schema is another one."""
        read = [(one.columns, answers_schema(one.answered)) for one in self.schemas]
        return [*dict.fromkeys((name, mine.field(name).type) for columns, mine in read for name in columns)]

    def _selected(self, condition: str) -> str:
        values = self._values()
        own = "row_id AS c0, answered AS c1, answered_as AS c2, label AS c3, collected AS c4"
        columns = "".join(f", v{place} AS c{place + 5}" for place in range(len(values)))
        return (
            f"SELECT {own}{columns}\nFROM (\n{self._joined(values)}\n) AS j\n"
            f"WHERE {self._usable()} AND (\n  {condition}\n)"
        )

    def _of_pool(self, pool: Pool, until: str) -> str:
        return (
            f"(answered <= {until} AND {self._code()} = {pool.code} AND answered >= {sql_moment(moment(pool.since))}"
            f"{_below(pool.hash_limit)})"
        )

    def _usable(self) -> str:
        start, end = sql_moment(self.usable.start), sql_moment(self.usable.ripe_until)
        return f"label IS NOT NULL AND answered >= {start} AND answered < {end}"

    def _code(self) -> str:
        known = "".join(f" WHEN label = {literal(name)} THEN {code}" for code, name in enumerate(self.config.classes))
        return f"CAST(CASE WHEN label IS NULL THEN -1{known} ELSE {len(self.config.classes)} END AS bigint)"

    def _joined(self, values: Sequence[tuple[str, pa.DataType]]) -> str:
        """Each id's first answer with the label that was collected last, if it was known by then and is still a class."""
        label, this_run = self.labels, f"{quoted(RUN)} = {literal(self.labels_run)}"
        order = f"PARTITION BY {label.value(ROW_ID)} ORDER BY {last_first(label)}"
        answers = "\n    UNION ALL\n".join(self._answers(place, values) for place in range(len(self.schemas)))
        known = f"l.collected < {sql_moment(self.now)}{self._not_gone()}"
        return (
            f"  SELECT a.*,\n"  # noqa: S608
            f"    CASE WHEN {known} THEN l.label END AS label, CASE WHEN {known} THEN l.collected END AS collected\n"
            f"  FROM (\n    SELECT *, row_number() OVER (PARTITION BY row_id ORDER BY answered, answered_as) AS place FROM (\n"
            f"{answers}\n    ) AS u\n  ) AS a\n"
            f"  LEFT JOIN (\n    SELECT {label.value(ROW_ID)} AS row_id, {label.value(LABEL)} AS label, "
            f"{label.value(COLLECTED)} AS collected, row_number() OVER ({order}) AS place\n"
            f"    FROM {quoted(self.database)}.{quoted(label.name)} WHERE {this_run}\n"
            f"  ) AS l ON l.row_id = a.row_id AND l.place = 1\n"
            f"  WHERE a.place = 1"
        )

    def _answers(self, place: int, values: Sequence[tuple[str, pa.DataType]]) -> str:
        one, mine = self.schemas[place], answers_schema(self.schemas[place].answered)
        own = {(name, mine.field(name).type): one.table.value(name) for name in one.columns}
        # What is united takes names and types from the first: Athena takes a query of 262,144 bytes at most.
        columns = "".join(f", {own.get(value, 'NULL')}" for value in values)
        if not place:
            columns = "".join(f", {own.get(v, _nothing(v[1]))} AS v{number}" for number, v in enumerate(values))
        return (
            f"      SELECT {one.table.value(ROW_ID)} AS row_id, {one.table.value(TIME)} AS answered, {place} AS answered_as{columns}\n"  # noqa: S608
            f"      FROM {quoted(self.database)}.{quoted(one.table.name)} WHERE {quoted(RUN)} = {literal(one.run)}"
        )

    def _not_gone(self) -> str:
        """Labels of classes that the schema of the answer has, and the model no longer."""
        found = ""
        for place, one in enumerate(self.schemas):
            gone = [literal(name) for name in one.answered.classes if name not in self.config.classes]
            if gone and self.config.classes:
                found += f" AND NOT (a.answered_as = {place} AND l.label IN ({', '.join(gone)}))"
        return found


def _below(limit: int | None) -> str:
    """The condition on a row's hash: `row_hashes`, as text of capitals."""
    if limit is None:
        return ""
    digits = HASH_BITS // 4
    return f" AND substr(to_hex(sha256(to_utf8(row_id))), 1, {digits}) < '{limit:0{digits}X}'"


def _nothing(kind: pa.DataType) -> str:
    return f"CAST(NULL AS {'timestamp' if pa.types.is_timestamp(kind) else _TYPES[kind]})"
