"""The join of answers with labels as Athena runs it: the tables that it reads, and its SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from kedge.capture.typed_rows import typed_predictions
from kedge.config.model import ModelConfig
from kedge.errors import ColumnsAlikeError
from kedge.labels.fold import label_schema
from kedge.own_columns import COLLECTED, ROW_ID, SOURCE, TIME, name_before

# The tables' partition column: one join's inputs are one partition, and rows of other joins are never read.
RUN = "kedge_run"
_GLUE_TYPES = {pa.string(): "string", pa.float64(): "double", pa.float32(): "float", pa.int64(): "bigint"}


@dataclass(frozen=True)
class CatalogueTable:
    """A table as the Glue catalogue describes it.

    Attributes
    ----------
    name : str
        Names model and kind, and ends with a digest of the rest. So a table never changes: another shape is another table.
    location : str
        The place of a join's list of objects, with `${kedge_run}` for the join.
    columns : tuple of (str, str)
        Names as the Parquet files have them, and Glue's types; last those in `before`.
    before : mapping of str to str
        Our own columns' names in files of earlier versions. Athena looks a column up by name: the other one is null.
    """

    name: str
    location: str
    columns: tuple[tuple[str, str], ...]
    before: Mapping[str, str] = field(default_factory=dict)

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that a join reads, under their present names."""
        return tuple(name for name, _ in self.columns[: len(self.columns) - len(self.before)])

    def value(self, name: str, alias: str = "") -> str:
        """A column in SQL, for files of any version.

        >>> table = CatalogueTable("t", "s3://b/", (("kedge_time", "timestamp"), ("time", "timestamp")), {"kedge_time": "time"})
        >>> table.value("kedge_time", "a.")
        'coalesce(a."kedge_time", a."time")'
        """
        if name not in self.before:
            return alias + quoted(name)
        return f"coalesce({alias}{quoted(name)}, {alias}{quoted(self.before[name])})"


def answers_schema(config: ModelConfig) -> pa.Schema:
    """Columns of the predictions table's parts, as they are written.

    >>> from kedge.config.model import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> answers_schema(config).names
    ['kedge_row_id', 'kedge_event_id', 'kedge_time', 'x', 'prediction']
    """
    texts = (*config.feature_names, *config.answer_columns, *config.context)
    nothing = pa.table({name: pa.array([], pa.string()) for name in texts})
    for name in config.row_identifiers:
        nothing = nothing.append_column(name, pa.array([], pa.timestamp("us", "UTC") if name == TIME else pa.string()))
    return typed_predictions(nothing, config, config.row_identifiers).schema


def joined_schema(config: ModelConfig, columns: Sequence[str]) -> pa.Schema:
    """Columns of the joined table: the answers' own, the given ones, then the label; null without one.

    Parameters
    ----------
    columns : sequence of str
        Features, the prediction or its probabilities.

    >>> from kedge.config.model import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> joined_schema(config, ["prediction"]).names
    ['kedge_row_id', 'kedge_time', 'prediction', 'label', 'kedge_collected']
    """
    answers = answers_schema(config)
    of_labels = [field for field in label_schema(config.labels.fields) if field.name not in (ROW_ID, SOURCE)]
    return pa.schema([*(answers.field(name) for name in (ROW_ID, TIME, *columns)), *of_labels])


def answers_table(config: ModelConfig, columns: Sequence[str], *, location: str) -> CatalogueTable:
    """The predictions table's part that a join reads.

    Raises
    ------
    ColumnsAlikeError
        Athena could not tell two of the files' columns apart.
    """
    schema = answers_schema(config)
    read = pa.schema([schema.field(name) for name in (ROW_ID, TIME, *columns)])
    return _table(config, "answers", read, schema.names, location)


def labels_table(config: ModelConfig, *, location: str) -> CatalogueTable:
    """The labels' part that a join reads.

    Raises
    ------
    ColumnsAlikeError
        Athena could not tell two of the files' columns apart.
    """
    schema = label_schema(config.labels.fields)
    return _table(config, "labels", schema, schema.names, location)


def join_sql(
    answers: CatalogueTable, labels: CatalogueTable, *, database: str, run: str, start: datetime, end: datetime
) -> str:
    """Athena's SELECT of the answers of `[start, end)` with their labels, one row per answer, with the label collected last.

    The columns are those of `joined_schema`, named `c0`, `c1`, ... in its order: Athena writes names in lower case and refuses a
    name twice. It reads times in milliseconds. Of labels collected at once, the one with the greater source counts, then that of the
    later object.

    Parameters
    ----------
    run : str
        The join whose lists of objects are read.

    >>> at = datetime(2016, 1, 4, tzinfo=UTC)
    >>> answers = CatalogueTable("m_answers", "s3://b/", (("kedge_row_id", "string"), ("x", "double")))
    >>> labels = CatalogueTable("m_labels", "s3://b/", (("kedge_row_id", "string"), ("label", "string")))
    >>> print(join_sql(answers, labels, database="kedge", run="3-a", start=at, end=at))
    SELECT a."kedge_row_id" AS c0, a."x" AS c1, l."label" AS c2
    FROM "kedge"."m_answers" AS a
    LEFT JOIN (
      SELECT "kedge_row_id" AS "kedge_row_id", "label" AS "label",
        row_number() OVER (PARTITION BY "kedge_row_id" ORDER BY "kedge_collected" DESC, "kedge_source" DESC, "$path" DESC) AS place
      FROM "kedge"."m_labels" WHERE "kedge_run" = '3-a'
    ) AS l ON l."kedge_row_id" = a."kedge_row_id" AND l.place = 1
    WHERE a."kedge_run" = '3-a'
      AND a."kedge_time" >= TIMESTAMP '2016-01-04 00:00:00.000000' AND a."kedge_time" < TIMESTAMP '2016-01-04 00:00:00.000000'
    """
    told = [name for name in labels.read if name != SOURCE]
    of_labels = [f"{labels.value(name)} AS {quoted(name)}" for name in told]
    columns = [
        *(answers.value(name, "a.") for name in answers.read),
        *(f"l.{quoted(name)}" for name in told[1:]),
    ]
    selected = ", ".join(f"{column} AS c{place}" for place, column in enumerate(columns))
    order = f"PARTITION BY {labels.value(ROW_ID)} ORDER BY {last_first(labels)}"
    time = answers.value(TIME, "a.")
    this_run = f'"{RUN}" = {literal(run)}'
    # Every name is quoted and every text is a literal: no text of a YAML can become SQL.
    return (
        f"SELECT {selected}\n"  # noqa: S608
        f"FROM {quoted(database)}.{quoted(answers.name)} AS a\n"
        f"LEFT JOIN (\n"
        f"  SELECT {', '.join(of_labels)},\n"
        f"    row_number() OVER ({order}) AS place\n"
        f"  FROM {quoted(database)}.{quoted(labels.name)} WHERE {this_run}\n"
        f") AS l ON l.{quoted(ROW_ID)} = {answers.value(ROW_ID, 'a.')} AND l.place = 1\n"
        f"WHERE a.{this_run}\n"
        f"  AND {time} >= {sql_moment(start)} AND {time} < {sql_moment(end)}"
    )


def last_first(labels: CatalogueTable) -> str:
    """The order of an id's labels in SQL, the one that counts first.

    >>> last_first(CatalogueTable("m_labels", "s3://b/", ()))
    '"kedge_collected" DESC, "kedge_source" DESC, "$path" DESC'
    """
    return f'{labels.value(COLLECTED)} DESC, {labels.value(SOURCE)} DESC, "$path" DESC'


def unload_sql(select: str, target: str) -> str:
    """Athena's UNLOAD of a SELECT into Parquet files below an empty address.

    >>> unload_sql("SELECT 1 AS c0", "s3://b/p/")
    "UNLOAD (SELECT 1 AS c0) TO 's3://b/p/' WITH (format = 'PARQUET', compression = 'SNAPPY')"
    """
    return f"UNLOAD ({select}) TO {literal(target)} WITH (format = 'PARQUET', compression = 'SNAPPY')"


def quoted(name: str) -> str:
    """Any name as SQL writes it.

    >>> quoted('3" pipe')
    '"3"" pipe"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Any text as SQL writes it.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def sql_moment(time: datetime) -> str:
    """A time as SQL writes it, in UTC.

    >>> sql_moment(datetime(2016, 1, 4, tzinfo=UTC))
    "TIMESTAMP '2016-01-04 00:00:00.000000'"
    """
    return f"TIMESTAMP '{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def _table(config: ModelConfig, kind: str, read: pa.Schema, in_files: Iterable[str], location: str) -> CatalogueTable:
    _check_told_apart(config.model, read.names, [RUN, *in_files])
    # If a column of the model has such a name, no earlier version can have written a file.
    taken = {name.lower() for name in in_files}
    before = {n: older for n in read.names if (older := name_before(n)) is not None and older.lower() not in taken}
    columns = tuple(
        (name, glue_type(read.field(now).type))
        for name, now in [*((n, n) for n in read.names), *((o, n) for n, o in before.items())]
    )
    digest = hashlib.sha256(repr((config.model, location, columns)).encode()).hexdigest()[:12]
    name = f"{config.model.lower().replace('-', '_')}_{kind}_{digest}"
    return CatalogueTable(name, location, columns, before)


def _check_told_apart(model: str, read: Iterable[str], in_files: Sequence[str]) -> None:
    lower = [name.lower() for name in in_files]
    alike = sorted({name for name in read if lower.count(name.lower()) > 1})
    if alike:
        raise ColumnsAlikeError(model=model, columns=alike)


def glue_type(kind: pa.DataType) -> str:
    """A type as the Glue catalogue calls it.

    >>> glue_type(pa.timestamp("us", "UTC")), glue_type(pa.float32())
    ('timestamp', 'float')
    """
    return "timestamp" if pa.types.is_timestamp(kind) else _GLUE_TYPES[kind]
