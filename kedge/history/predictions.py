"""The answers with their labels as one view over all models, from the parts of the predictions table that day objects vouch for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kedge.columns.casting import prediction_of
from kedge.config.model import ModelConfig
from kedge.own_columns import COLLECTED, EVENT_ID, LABEL, ROW_ID, SOURCE, TIME

# What the view shows: name, and Trino's type.
COLUMNS = (
    ("model", "varchar"),
    ("package", "varchar"),
    ("time", "timestamp(3)"),
    ("row_id", "varchar"),
    ("event_id", "varchar"),
    ("prediction", "double"),
    ("predicted_class", "varchar"),
    ("label", "varchar"),
    ("label_collected", "timestamp(3)"),
    ("month", "varchar"),
)
_GLUE = {"float64": "double", "float32": "float", "string": "string"}


@dataclass(frozen=True)
class AnswersTable:
    """The answers of the models whose prediction has one name and type in the files.

    Attributes
    ----------
    column : str
        The prediction's name.
    kind : str
        Its type in the Glue catalogue.
    models : tuple of str
    """

    name: str
    column: str
    kind: str
    models: tuple[str, ...]

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Names and Glue types, as the files have them."""
        return ((ROW_ID, "string"), (EVENT_ID, "string"), (TIME, "timestamp"), (self.column.lower(), self.kind))


# The labels of all models: every label is a text.
LABELS = ((ROW_ID, "string"), (LABEL, "string"), (COLLECTED, "timestamp"), (SOURCE, "string"))


def answers_tables(models: Iterable[ModelConfig]) -> tuple[AnswersTable, ...]:
    """Group the models by their prediction; features are not shown, so sensitive ones stay where they are.

    >>> from kedge.config.model import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> answers_tables([config])
    (AnswersTable(name='answers_1', column='prediction', kind='double', models=('m',)),)
    """
    found: dict[tuple[str, str], list[str]] = {}
    for config in models:
        prediction = prediction_of(config)
        kind = "string" if not prediction.is_number else _GLUE[prediction.dtype]
        found.setdefault((prediction.name, kind), []).append(config.model)
    return tuple(
        AnswersTable(f"answers_{number}", column, kind, tuple(sorted(names)))
        for number, ((column, kind), names) in enumerate(sorted(found.items()), start=1)
    )


def predictions_sql(tables: Iterable[AnswersTable], names: Mapping[str, str]) -> str:
    """The view's SELECT: each answered row once, with the label that was collected last.

    Parameters
    ----------
    names : mapping of str to str
        What each table, and `labels`, is called in SQL.
    """
    answers = "\n  UNION ALL\n".join(_answers(table, names[table.name]) for table in tables)
    return (
        "SELECT a.model, a.package, a.time, a.row_id, a.event_id, a.prediction, a.predicted_class, l.label, "  # noqa: S608
        "l.label_collected, a.month\n"
        f"FROM (\n{answers}\n) AS a\n"
        "LEFT JOIN (\n"
        f'  SELECT model, "{ROW_ID}" AS row_id, "{LABEL}" AS label, "{COLLECTED}" AS label_collected,\n'
        f'    row_number() OVER (PARTITION BY model, "{ROW_ID}"\n'
        f'      ORDER BY "{COLLECTED}" DESC, "{SOURCE}" DESC, "$path" DESC) AS place\n'
        f"  FROM {names['labels']}\n"
        ") AS l ON l.model = a.model AND l.row_id = a.row_id AND l.place = 1"
    )


def _answers(table: AnswersTable, name: str) -> str:
    column = '"' + table.column.lower().replace('"', '""') + '"'
    value = (
        f"CAST(NULL AS double) AS prediction, {column} AS predicted_class"
        if table.kind == "string"
        else f"CAST({column} AS double) AS prediction, CAST(NULL AS varchar) AS predicted_class"
    )
    return (
        f'  SELECT model, regexp_extract("$path", \'/package=([^/]+)/\', 1) AS package, "{TIME}" AS time,\n'  # noqa: S608
        f'    "{ROW_ID}" AS row_id, "{EVENT_ID}" AS event_id, {value}, month\n'
        f"  FROM {name}"
    )
