"""The join of answers with labels as Athena runs it: the tables that it reads, and its SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from kedge.capture_records import EVENT_ID, ROW_ID, TIME
from kedge.errors import ColumnsAlikeError
from kedge.label_fold import COLLECTED, SOURCE, label_schema
from kedge.model_config import ModelConfig
from kedge.typed_columns import typed_predictions

# The tables' partition column: one join's inputs are one partition, and no row of another join is ever looked at.
RUN = "kedge_run"
_GLUE_TYPES = {pa.string(): "string", pa.float64(): "double", pa.float32(): "float"}


@dataclass(frozen=True)
class CatalogueTable:
    """A table as the Glue catalogue describes it.

    Attributes
    ----------
    name : str
        Says model and kind; its end is a digest of the rest, so that a table never changes: another shape is another table.
    location : str
        Where a join's list of objects stands, with `${kedge_run}` for the join.
    columns : tuple of (str, str)
        Names as the Parquet files have them, and Glue's types.
    """

    name: str
    location: str
    columns: tuple[tuple[str, str], ...]


def answers_schema(config: ModelConfig) -> pa.Schema:
    """Columns of the predictions table's parts, as they are written.

    >>> from kedge.model_config import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> answers_schema(config).names
    ['row_id', 'event_id', 'time', 'x', 'prediction']
    """
    nothing = pa.table({name: pa.array([], pa.string()) for name in (*config.feature_names, *config.answer_columns)})
    identifiers = {ROW_ID: pa.string(), EVENT_ID: pa.string(), TIME: pa.timestamp("us", "UTC")}
    for name, kind in identifiers.items():
        nothing = nothing.append_column(name, pa.array([], kind))
    return typed_predictions(nothing, config, tuple(identifiers)).schema


def joined_schema(config: ModelConfig, columns: Sequence[str]) -> pa.Schema:
    """Columns of the joined table: the answers' own, these of theirs, then what is known of the label; null where none came.

    Parameters
    ----------
    columns : sequence of str
        Features, the prediction or its probabilities.

    >>> from kedge.model_config import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> joined_schema(config, ["prediction"]).names
    ['row_id', 'time', 'prediction', 'label', 'collected']
    """
    answers = answers_schema(config)
    return pa.schema([*(answers.field(name) for name in (ROW_ID, TIME, *columns)), *list(_labels_read(config))[1:]])


def answers_table(config: ModelConfig, columns: Sequence[str], *, location: str) -> CatalogueTable:
    """The predictions table's part that a join reads.

    Raises
    ------
    ColumnsAlikeError
        Athena would not tell two of the files' columns apart.
    """
    schema = answers_schema(config)
    read = pa.schema([schema.field(name) for name in (ROW_ID, TIME, *columns)])
    return _table(config, "answers", read, schema.names, location)


def labels_table(config: ModelConfig, *, location: str) -> CatalogueTable:
    """The labels' part that a join reads.

    Raises
    ------
    ColumnsAlikeError
        Athena would not tell two of the files' columns apart.
    """
    return _table(config, "labels", _labels_read(config), label_schema(config.labels.fields).names, location)


def join_sql(
    answers: CatalogueTable, labels: CatalogueTable, *, database: str, run: str, start: datetime, end: datetime
) -> str:
    """Athena's SELECT of the answers of `[start, end)` with their labels, one row an answer; of two labels the last collected.

    The columns are those of `joined_schema`, named `c0`, `c1`, ... in its order: Athena writes names in lower case and lets none
    be there twice. It sees times by the millisecond. Of labels collected at once that of the later day counts.

    Parameters
    ----------
    run : str
        The join whose lists of objects are read.

    >>> at = datetime(2016, 1, 4, tzinfo=UTC)
    >>> answers = CatalogueTable("m_answers", "s3://b/", (("row_id", "string"), ("time", "timestamp")))
    >>> labels = CatalogueTable("m_labels", "s3://b/", (("row_id", "string"), ("collected", "timestamp")))
    >>> print(join_sql(answers, labels, database="kedge", run="3-a", start=at, end=at))
    SELECT a."row_id" AS c0, a."time" AS c1, l."collected" AS c2
    FROM "kedge"."m_answers" AS a
    LEFT JOIN (
      SELECT "row_id", "collected", row_number() OVER (PARTITION BY "row_id" ORDER BY "collected" DESC, "$path" DESC) AS place
      FROM "kedge"."m_labels" WHERE "kedge_run" = '3-a'
    ) AS l ON l."row_id" = a."row_id" AND l.place = 1
    WHERE a."kedge_run" = '3-a'
      AND a."time" >= TIMESTAMP '2016-01-04 00:00:00.000000' AND a."time" < TIMESTAMP '2016-01-04 00:00:00.000000'
    """
    of_labels = [quoted(name) for name, _ in labels.columns]
    columns = [*(f"a.{quoted(name)}" for name, _ in answers.columns), *(f"l.{name}" for name in of_labels[1:])]
    selected = ", ".join(f"{column} AS c{place}" for place, column in enumerate(columns))
    last = f'row_number() OVER (PARTITION BY "{ROW_ID}" ORDER BY "{COLLECTED}" DESC, "$path" DESC) AS place'
    this_run = f'"{RUN}" = {literal(run)}'
    # Every name is quoted and every text is a literal: what a YAML says cannot become SQL.
    return (
        f"SELECT {selected}\n"  # noqa: S608
        f"FROM {quoted(database)}.{quoted(answers.name)} AS a\n"
        f"LEFT JOIN (\n"
        f"  SELECT {', '.join(of_labels)}, {last}\n"
        f"  FROM {quoted(database)}.{quoted(labels.name)} WHERE {this_run}\n"
        f') AS l ON l."{ROW_ID}" = a."{ROW_ID}" AND l.place = 1\n'
        f"WHERE a.{this_run}\n"
        f'  AND a."{TIME}" >= {_moment(start)} AND a."{TIME}" < {_moment(end)}'
    )


def unload_sql(select: str, target: str) -> str:
    """Athena's UNLOAD of a SELECT into Parquet files below an address where nothing is yet.

    >>> unload_sql("SELECT 1 AS c0", "s3://b/p/")
    "UNLOAD (SELECT 1 AS c0) TO 's3://b/p/' WITH (format = 'PARQUET', compression = 'SNAPPY')"
    """
    return f"UNLOAD ({select}) TO {literal(target)} WITH (format = 'PARQUET', compression = 'SNAPPY')"


def quoted(name: str) -> str:
    """A name as SQL writes it, whatever is in it.

    >>> quoted('3" pipe')
    '"3"" pipe"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it, whatever is in it.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _labels_read(config: ModelConfig) -> pa.Schema:
    return pa.schema([field for field in label_schema(config.labels.fields) if field.name != SOURCE])


def _table(config: ModelConfig, kind: str, read: pa.Schema, in_files: Iterable[str], location: str) -> CatalogueTable:
    _check_told_apart(config.model, read.names, [RUN, *in_files])
    columns = tuple((field.name, _glue_type(field.type)) for field in read)
    digest = hashlib.sha256(repr((config.model, location, columns)).encode()).hexdigest()[:12]
    name = f"{config.model.lower().replace('-', '_')}_{kind}_{digest}"
    return CatalogueTable(name, location, columns)


def _check_told_apart(model: str, read: Iterable[str], in_files: Sequence[str]) -> None:
    lower = [name.lower() for name in in_files]
    alike = sorted({name for name in read if lower.count(name.lower()) > 1})
    if alike:
        raise ColumnsAlikeError(model=model, columns=alike)


def _glue_type(kind: pa.DataType) -> str:
    return "timestamp" if pa.types.is_timestamp(kind) else _GLUE_TYPES[kind]


def _moment(time: datetime) -> str:
    return f"TIMESTAMP '{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"
