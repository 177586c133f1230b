"""Training rows: typed as the model's YAML declares them, and written as a container reads them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.capture.typed_rows import typed_column
from kedge.columns.casting import Column, cast_numbers, cast_text
from kedge.config.model import ModelConfig
from kedge.config.sections import Feature
from kedge.errors import TrainingColumnMissingError
from kedge.outcomes.columns import label_column
from kedge.own_columns import LABEL, OF_CHAMPION, ROW_ID, TIME
from kedge.package_schema import called_before

# Every character at which some reader ends a line: line feed, carriage return, Unicode's own marks; and NUL, which older CSV readers refuse.
_LINE_BREAK = r"[\n\r\x00\x0b\x0c\x1c-\x1e\x{85}\x{2028}\x{2029}]"

# Values of Python take ten times a column's bytes: of more rows there are never any at once.
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Schemas:
    """The schemas in which rows are wanted, and the one in which they were answered.

    Attributes
    ----------
    wanted : ModelConfig
        Of the model that is trained.
    champion : ModelConfig or None
        Schema of the model that serves, if it is another one: its features stand beside the others, as `kedge_champion_<name>`.
    answered : ModelConfig or None
        Schema of the package that answered the rows: a feature that it lacks is missing in all of them. None if every
        feature must be there.
    """

    wanted: ModelConfig
    champion: ModelConfig | None = None
    answered: ModelConfig | None = None

    def column_of(self, name: str, table: pa.Table) -> str | None:
        """A feature's name in the table; None if the rows cannot have it.

        Raises
        ------
        TrainingColumnMissingError
            They should have it.
        """
        found = self.somehow_called(name, table)
        if found is None and (self.answered is None or name in self.answered.feature_names):
            raise TrainingColumnMissingError(columns=[name])
        return found

    def somehow_called(self, name: str, table: pa.Table) -> str | None:
        """The table's column under a feature's name, or under its name in another schema."""
        known = filter(None, (self.wanted, self.champion, self.answered))
        return next((n for n in (name, *called_before(name, *known)) if n in table.column_names), None)

    def lacking(self, table: pa.Table) -> tuple[str, ...]:
        """The features that the rows do not have."""
        return tuple(name for name in self.wanted.feature_names if self.column_of(name, table) is None)


def typed_rows(
    table: pa.Table, config: ModelConfig, *, champion: ModelConfig | None = None, answered: ModelConfig | None = None
) -> pa.Table:
    """Keep `kedge_row_id`, `kedge_time`, the features and `label`, each in its declared type.

    Values are cast as the monitor casts them before it counts (`kedge.columns.casting`). A number that is infinite or
    cannot be read becomes missing, as the container will treat it.

    Parameters
    ----------
    table : Table
        Any columns; `kedge_row_id`, `kedge_time` and `label` must be among them.
    champion, answered : ModelConfig, optional
        See `Schemas`.

    Raises
    ------
    TrainingColumnMissingError
        Naming the columns that are absent.

    >>> from kedge.config.reading import parse_model_config
    >>> yaml = "{model: m, endpoint: {name: e}, features: [{name: adr, kind: numeric}]}"
    >>> config = parse_model_config(yaml, source="m.yaml")
    >>> moments = pa.array([0, 0], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"kedge_row_id": ["a", "b"], "kedge_time": moments, "adr": ["1.5", "?"], "label": [1, 0]})
    >>> typed_rows(rows, config).column("adr").to_pylist()
    [1.5, None]
    """
    schemas = Schemas(config, champion, answered)
    absent = [name for name in (ROW_ID, TIME, LABEL) if name not in table.column_names]
    found: dict[str, str | None] = {}
    for name in config.feature_names:
        try:
            found[name] = schemas.column_of(name, table)
        except TrainingColumnMissingError as error:
            absent += error.columns
    if absent:
        raise TrainingColumnMissingError(columns=absent)
    columns: dict[str, Any] = {ROW_ID: table.column(ROW_ID).cast(pa.string()), TIME: moments(table.column(TIME))}
    for feature in config.features:
        columns[feature.name] = _feature(table, found[feature.name], feature)
    for feature in champion.features if champion else ():
        # Rows that another package answered may lack the champion's features: the champion is scored without them.
        columns[OF_CHAMPION + feature.name] = _feature(table, schemas.somehow_called(feature.name, table), feature)
    columns[LABEL] = label_texts(table.column(LABEL))
    return pa.table(columns)


def training_csv(rows: pa.Table) -> Iterator[bytes]:
    """Write rows as CSV with a header, some at a time; a missing value is an empty field. Columns that only the champion reads are left out.

    >>> b"".join(training_csv(pa.table({"meal": ["BB", None], "adr": [1.5, 2.0]}))).splitlines()
    [b'meal,adr', b'BB,1.5', b',2.0']
    """
    rows = rows.select([name for name in rows.column_names if not name.startswith(OF_CHAMPION)])
    return map(_csv, chain([[rows.column_names]], _plain_rows(rows)))


def algorithm_csv(rows: pa.Table, config: ModelConfig) -> Iterator[bytes]:
    r"""Write rows, some at a time, as SageMaker's own algorithms read them: the label first, as a number, no header; a missing value is empty.

    >>> from kedge.config.reading import parse_model_config
    >>> yaml = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}], labels: {classes: [came, left]}}"
    >>> rows = pa.table({"x": [1.5, None], "label": ["left", "came"]})
    >>> b"".join(algorithm_csv(rows, parse_model_config(yaml, source="m.yaml")))
    b'1,1.5\n0,\n'
    """
    labels = label_column(rows.column(LABEL), config.problem, config.labels.classes).values
    features = rows.select([*config.feature_names])
    return map(_csv, _plain_rows(features.add_column(0, LABEL, pa.array(labels))))


def scoring_payload(rows: pa.Table, config: ModelConfig) -> Iterator[bytes]:
    """Write the id and the features of rows, some at a time, without labels, in the endpoint's own content type.

    CSV: the id stands first, there is no header. JSON: an object a line with `id` and `payload`,
    where the payload is what the endpoint takes.

    Parameters
    ----------
    rows : Table
        With `kedge_row_id` and the features of `config`.
    """
    table = rows.select([ROW_ID, *config.feature_names])
    return map(_csv if config.endpoint.content_type == "text/csv" else _json_lines, _plain_rows(table))


def on_one_line(rows: pa.Table, config: ModelConfig, champion: ModelConfig | None = None) -> pa.Table:
    r"""Keep the rows that batch transform can take: it splits CSV at every line break, in quotes too. JSON writes them as text.

    Parameters
    ----------
    rows : Table
        With `kedge_row_id` and the features of `config`, typed.
    champion : ModelConfig, optional
        The schema of the model that serves, if it scores the rows in a schema of its own.

    >>> from kedge.config.reading import parse_model_config
    >>> config = parse_model_config("{model: m, endpoint: {name: e}, features: [{name: c, kind: categorical}]}", source="m.yaml")
    >>> on_one_line(pa.table({"kedge_row_id": ["a", "b"], "c": ["x\ny", None]}), config).column("kedge_row_id").to_pylist()
    ['b']
    """
    names = [*config.feature_names] if config.endpoint.content_type == "text/csv" else []
    if champion is not None and champion.endpoint.content_type == "text/csv":
        names += _names_of(champion, rows)
    broken = pa.array([False] * rows.num_rows, pa.bool_())
    for name in (ROW_ID, *names) if names else ():
        column = rows.column(name)
        if pa.types.is_string(column.type):
            broken = pc.or_(broken, pc.fill_null(pc.match_substring_regex(column, _LINE_BREAK), False))
    return rows.filter(pc.invert(broken))


def column_description(config: ModelConfig) -> dict[str, Any]:
    """Say what each column of the training file is: the content of `columns.json`."""
    features = [{"name": f.name, "kind": f.kind, "dtype": f.declared_dtype} for f in config.features]
    return {
        "time": TIME,
        "label": LABEL,
        "problem": config.problem,
        "classes": list(config.labels.classes),
        "features": features,
    }


def champion_rows(rows: pa.Table, champion: ModelConfig) -> pa.Table:
    """The rows' ids and features as the champion reads them.

    >>> table = pa.table({"kedge_row_id": ["a"], "price": [1.0], "kedge_champion_adr": [1.0]})
    >>> from kedge.config.model import Endpoint
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="adr", kind="numeric"),))
    >>> champion_rows(table, config).column_names
    ['kedge_row_id', 'adr']
    """
    return rows.select([ROW_ID, *_names_of(champion, rows)]).rename_columns([ROW_ID, *champion.feature_names])


def _names_of(champion: ModelConfig, rows: pa.Table) -> list[str]:
    return [name if (mine := OF_CHAMPION + name) not in rows.column_names else mine for name in champion.feature_names]


def _feature(table: pa.Table, name: str | None, feature: Feature) -> pa.Array:
    column = pa.nulls(table.num_rows, pa.string()) if name is None else table.column(name)
    if feature.kind != "numeric":
        return typed_column(column, Column(feature.name, "feature", feature.kind, feature.declared_dtype))
    values = cast_numbers(column, feature.declared_dtype).values
    numbers = pa.array(values, mask=~np.isfinite(values))
    whole = feature.declared_dtype == "int64" and bool((values[np.isfinite(values)] % 1 == 0).all())
    # A fraction in a column of whole numbers is an error in the data: truncating it would hide it from the model.
    return numbers.cast(pa.int64()) if whole else numbers


def label_texts(column: pa.ChunkedArray) -> pa.Array:
    """Labels of any type as the words that classes are written in."""
    if pa.types.is_floating(column.type) and pc.all(pc.equal(column, pc.round(column))).as_py() is not False:
        # A class that went through a float is written without its ".0".
        column = column.cast(pa.int64())
    return cast_text(column)


def moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times of any type as microseconds of UTC."""
    # pandas writes nanoseconds; digits below a microsecond are cut off.
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        return pc.assume_timezone(column.cast(pa.timestamp("us"), safe=False), "UTC")
    return column.cast(pa.timestamp("us", "UTC"), safe=False)


def _plain_rows(table: pa.Table) -> Iterator[list[list[Any]]]:
    for start in range(0, table.num_rows, BATCH_ROWS):
        columns = [
            _instants(column) if pa.types.is_timestamp(column.type) else column.to_pylist()
            for column in table.slice(start, BATCH_ROWS).columns
        ]
        yield [list(row) for row in zip(*columns, strict=True)]


def _instants(column: pa.ChunkedArray) -> list[str]:
    # Arrow's %S writes as many decimals as the type has.
    seconds = column.cast(pa.timestamp("s", "UTC"), safe=False)
    texts: list[str] = pc.strftime(seconds, "%Y-%m-%dT%H:%M:%SZ").to_pylist()
    return texts


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _json_lines(rows: list[list[Any]]) -> bytes:
    lines = [{"id": identity, "payload": {"features": values}} for identity, *values in rows]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()
