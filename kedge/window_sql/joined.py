"""The joined rows of a window as a table of Athena's, and what its counts read of them: one row for each answered id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import pyarrow as pa

from kedge.columns.class_codes import class_numbers
from kedge.config.model import ModelConfig
from kedge.labels.join_sql import RUN, CatalogueTable, glue_type, joined_schema, literal, quoted, sql_moment
from kedge.own_columns import COLLECTED, FIELD, LABEL, TIME, VARIANT
from kedge.window_sql.values import MISSING, class_code, double, is_missing, log_loss, number, number_code

# Behind the joined columns: 0 for an id's last answer, 1 for an earlier one that said the same, 2 for one that said otherwise.
REPEATED = "kedge_repeated"
# A column by its place among those that are cut by their levels, a level in one of its spellings, and its group.
LEVELS = pa.schema([("place", pa.int64()), ("txt", pa.string()), ("code", pa.int64())])
# What is known of a row's answer, or of its label.
KNOWN, NOTHING, UNREADABLE, OUTSIDE = 1, 0, -1, -2


@dataclass(frozen=True)
class JoinedRows:
    """The rows that one join has written.

    Attributes
    ----------
    config : ModelConfig
        By which the rows were answered.
    columns : tuple of str
        The answers' columns among them.
    database, run : str
        Of the catalogue; of the join.
    location, levels_location : str
        The place of a join's list of what it has written, with `${kedge_run}` for the join; of the list of its table of levels.
    now : datetime
        Labels that were not collected before it are not known.
    """

    config: ModelConfig
    columns: tuple[str, ...]
    database: str
    run: str
    location: str
    levels_location: str
    now: datetime

    @cached_property
    def schema(self) -> pa.Schema:
        """The rows' columns, under their names; Athena calls them `c0`, `c1`, ..."""
        return joined_schema(self.config, self.columns).append(pa.field(REPEATED, pa.int64()))

    @property
    def table(self) -> CatalogueTable:
        """As the catalogue describes it."""
        columns = tuple((f"c{place}", glue_type(kind)) for place, kind in enumerate(self.schema.types))
        return self._described("joined", self.location, columns)

    @property
    def levels(self) -> CatalogueTable:
        """The codes of levels by column and spelling (`LEVELS`), as the catalogue describes them."""
        columns = tuple((field.name, glue_type(field.type)) for field in LEVELS)
        return self._described("levels", self.levels_location, columns)

    def _described(self, kind: str, location: str, columns: tuple[tuple[str, str], ...]) -> CatalogueTable:
        digest = hashlib.sha256(repr((self.config.model, location, columns)).encode()).hexdigest()[:12]
        return CatalogueTable(f"{self.config.model.lower().replace('-', '_')}_{kind}_{digest}", location, columns)

    def select(self, join: str) -> str:
        """Athena's SELECT of these rows from the join of answers with labels (`join_sql`)."""
        names, column = self.schema.names[:-1], self.column
        by_id = f"(PARTITION BY c0 ORDER BY {column(TIME)} DESC)"
        known = f"{column(COLLECTED)} < {sql_moment(self.now)}"
        late = {LABEL, COLLECTED, *(FIELD + name for name in self.config.labels.fields)}
        columns = [f"CASE WHEN {known} THEN {column(n)} END AS {column(n)}" if n in late else column(n) for n in names]
        said = column(self.config.prediction.name)
        repeated = (
            f"CAST(CASE WHEN row_number() OVER {by_id} = 1 THEN 0"
            f" WHEN {said} IS DISTINCT FROM first_value({said}) OVER {by_id} THEN 2 ELSE 1 END AS bigint)"
        )
        return f"SELECT {', '.join(columns)}, {repeated} AS {column(REPEATED)}\nFROM (\n{join}\n) AS j"

    def column(self, name: str) -> str:
        """The name that Athena gives a column."""
        return f"c{self.schema.names.index(name)}"

    def value(self, name: str) -> tuple[str, pa.DataType] | None:
        """A column of the requests, the context or the label records in SQL, with its type; None where the rows lack it.

        What a label record tells of the context stands in for what the request did not, as in `with_fields`.
        """
        fields = self.config.labels.fields
        if name in self.columns or name in (LABEL, TIME, COLLECTED):
            own, kind = self.column(name), self.schema.field(name).type
            if name in fields and name in self.config.context:
                return f"coalesce({own}, {self.column(FIELD + name)})", kind
            return own, kind
        if name in fields and name not in self.config.endpoint.custom_attributes:
            return self.column(FIELD + name), pa.string()
        return None

    def source(self, *, repeated: bool = False) -> str:
        """The rows: each id's last answer, or all others."""
        return f"{self._own(self.table)} AND {self.column(REPEATED)} {'>' if repeated else '='} 0"

    def with_levels(self, places: Sequence[int]) -> str:
        """What stands behind the rows in FROM, so that each has the levels of these columns as maps `m0`, `m1`, ... by their place."""
        if not places:
            return ""
        maps = [
            "map("
            + ", ".join(f"array_agg({each} ORDER BY txt) FILTER (WHERE place = {place})" for each in ("txt", "code"))
            + f") AS m{place}"
            for place in places
        ]
        return f" CROSS JOIN (SELECT {', '.join(maps)} FROM {self._own(self.levels)}) AS l"  # noqa: S608

    def _own(self, table: CatalogueTable) -> str:
        return f"{quoted(self.database)}.{quoted(table.name)} WHERE {quoted(RUN)} = {literal(self.run)}"


@dataclass(frozen=True)
class RowSql:
    """The columns by which rows are counted, in SQL, over `JoinedRows`.

    Attributes
    ----------
    rows : JoinedRows
    start : datetime
        Of the window: rows since then are inside.
    ripe_until : datetime or None
        The last instant of rows whose label is believed; None while the horizon is not known.
    as_classes : bool
        Whether a two-class model's numbers are its classes instead of probabilities.
    """

    rows: JoinedRows
    start: datetime
    ripe_until: datetime | None = None
    as_classes: bool = False

    @property
    def config(self) -> ModelConfig:
        """The model's."""
        return self.rows.config

    @property
    def is_regression(self) -> bool:
        """Whether labels and answers are numbers."""
        return self.config.problem == "regression"

    def select(self, more: Sequence[str] = (), beside: str = "") -> str:
        """Rows as `t`, `variant`, label `y` with its state `ys`, answer `a` with `ak`, `cost`, `ripe`, `inside`, and more columns.

        Parameters
        ----------
        beside : str
            What the additional columns read beside the rows (`JoinedRows.with_levels`).
        """
        time = self.rows.column(TIME)
        columns = [
            f"{time} AS t",
            f"{self._variant()} AS variant",
            f"y, {self._label_state()} AS ys",
            f"a, {self._answer_state()} AS ak",
            f"{self._cost()} AS cost",
            f"{self._ripe()} AS ripe",
            f"{time} >= {sql_moment(self.start)} AS inside",
            *more,
        ]
        read = f"SELECT *, {self._label()} AS y, {self._answer()} AS a FROM {self.rows.source()}"  # noqa: S608
        return f"(SELECT {', '.join(columns)} FROM ({read}) AS q{beside}) AS r"  # noqa: S608

    def number(self, name: str) -> str | None:
        """A column's finite numbers, else NULL; None where the rows lack it."""
        found = self.rows.value(name)
        if found is None:
            return None
        value = number(*found)
        return f"CASE WHEN NOT is_infinite({value}) THEN {value} END"

    def code_of_label(self, names: Sequence[str]) -> str:
        """Code of the label among these classes."""
        return class_code(self.rows.column(LABEL), names)

    def probability(self, place: int) -> str:
        """A class's probability; NULL without one."""
        name = self.config.prediction.probabilities[place]
        return number(self.rows.column(name), self.rows.schema.field(name).type)

    def chances(self) -> tuple[str, str]:
        """Whether every class has a probability, and the cost of the one that the label had, as `scored` and `lost`."""
        places = range(len(self.config.prediction.probabilities))
        if not places:
            return "false AS scored", "0E0 AS lost"
        between = " AND ".join(f"coalesce({self.probability(k)} BETWEEN 0E0 AND 1E0, false)" for k in places)
        chance = " ".join(f"WHEN {k} THEN {self.probability(k)}" for k in places)
        return f"{between} AS scored", f"{log_loss(f'(CASE y {chance} END)')} AS lost"

    def _label(self) -> str:
        if self.is_regression:
            return number(self.rows.column(LABEL), pa.string())
        return self.code_of_label(self.config.classes)

    def _label_state(self) -> str:
        if not self.is_regression:
            return f"CASE WHEN y >= 0 THEN {KNOWN} WHEN y = {MISSING} THEN {NOTHING} ELSE {UNREADABLE} END"
        text = self.rows.column(LABEL)
        nothing = f"{text} IS NULL OR {is_missing(f'trim({text})')}"
        return f"CASE WHEN NOT is_infinite(y) THEN {KNOWN} WHEN {nothing} THEN {NOTHING} ELSE {UNREADABLE} END"

    def _said(self) -> tuple[str, pa.DataType]:
        name = self.config.prediction.name
        return self.rows.column(name), self.rows.schema.field(name).type

    def _answer(self) -> str:
        said, kind = self._said()
        if self.config.problem == "multiclass_classification":
            return class_code(said, self.config.classes)
        if self.as_classes:
            return f"CAST({number_code(number(said, kind), self.config.classes)} AS double)"
        return number(said, kind)

    def _answer_state(self) -> str:
        if self.config.problem == "multiclass_classification" or self.as_classes:
            return f"CASE WHEN a >= 0 THEN {KNOWN} WHEN a = {MISSING} THEN {NOTHING} ELSE {UNREADABLE} END"
        outside = "" if self.is_regression else f" WHEN a < 0E0 OR a > 1E0 THEN {OUTSIDE}"
        return f"CASE WHEN a IS NULL THEN {NOTHING} WHEN is_infinite(a) THEN {UNREADABLE}{outside} ELSE {KNOWN} END"

    def named_and_scored(self) -> tuple[str, str]:
        """Whether an answer is one of two classes that are numbers other than 0 and 1, and whether it is a probability."""
        value = number(*self._said()) if self.config.problem != "multiclass_classification" else "CAST(NULL AS double)"
        pair = class_numbers(self.config.classes) if self.config.problem == "binary_classification" else None
        named = f"{value} IN ({', '.join(map(double, pair))})" if pair and {*pair} != {0.0, 1.0} else "false"
        return f"coalesce({named}, false)", f"coalesce({value} BETWEEN 0E0 AND 1E0, false)"

    def _variant(self) -> str:
        if VARIANT not in self.rows.columns:
            return "-1"
        found = "".join(f" WHEN {literal(name)} THEN {n}" for n, name in enumerate(self.config.endpoint.variants))
        return f"CASE {self.rows.column(VARIANT)}{found} ELSE -1 END"

    def _cost(self) -> str:
        name = self.config.performance.cost_column
        value = self.number(name) if name else None
        return f"coalesce({value}, 0E0)" if value else "CAST(NULL AS double)"

    def _ripe(self) -> str:
        return "false" if self.ripe_until is None else f"{self.rows.column(TIME)} <= {sql_moment(self.ripe_until)}"
