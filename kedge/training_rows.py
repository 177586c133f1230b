"""Rows to learn from: typed as the model's YAML declares them, and written as a container reads them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.columns import Column, cast_numbers, cast_text
from kedge.errors import TrainingColumnMissingError
from kedge.model_config import ModelConfig
from kedge.model_sections import Feature
from kedge.typed_columns import typed_column

ROW_ID, TIME, LABEL = "row_id", "time", "label"
# Whatever some reader of lines ends one at: line feed, carriage return, Unicode's own marks, and NUL, which older CSV readers refuse.
_LINE_BREAK = r"[\n\r\x00\x0b\x0c\x1c-\x1e\x{85}\x{2028}\x{2029}]"


def typed_rows(table: pa.Table, config: ModelConfig) -> pa.Table:
    """Keep `row_id`, `time`, the features and `label`, each in its declared type.

    Cast as the monitor casts before it counts (`kedge.columns`); a number that is infinite or cannot be read
    becomes missing, as the container will treat it.

    Parameters
    ----------
    table : Table
        Any columns; all of those named above must be among them.

    Raises
    ------
    TrainingColumnMissingError
        Naming the columns that are absent.

    >>> from kedge.model_config import parse_model_config
    >>> yaml = "{model: m, endpoint: {name: e}, features: [{name: adr, kind: numeric}]}"
    >>> config = parse_model_config(yaml, source="m.yaml")
    >>> moments = pa.array([0, 0], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"row_id": ["a", "b"], "time": moments, "adr": ["1.5", "?"], "label": [1, 0]})
    >>> typed_rows(rows, config).column("adr").to_pylist()
    [1.5, None]
    """
    wanted = (ROW_ID, TIME, *config.feature_names, LABEL)
    absent = [name for name in wanted if name not in table.column_names]
    if absent:
        raise TrainingColumnMissingError(columns=absent)
    columns: dict[str, Any] = {ROW_ID: table.column(ROW_ID).cast(pa.string()), TIME: _moments(table.column(TIME))}
    for feature in config.features:
        columns[feature.name] = _feature(table.column(feature.name), feature)
    columns[LABEL] = _labels(table.column(LABEL))
    return pa.table(columns)


def training_csv(rows: pa.Table) -> bytes:
    """Write rows as CSV with a header; what is missing is an empty field.

    >>> training_csv(pa.table({"meal": ["BB", None], "adr": [1.5, 2.0]})).splitlines()
    [b'meal,adr', b'BB,1.5', b',2.0']
    """
    return _csv([rows.column_names, *_plain_rows(rows)])


def scoring_payload(rows: pa.Table, config: ModelConfig) -> bytes:
    """Write the id and the features of rows, without labels, in the endpoint's own content type.

    CSV: the id stands first, there is no header. JSON: an object a line with `id` and `payload`,
    where the payload is what the endpoint takes.

    Parameters
    ----------
    rows : Table
        With `row_id` and the features of `config`.
    """
    table = rows.select([ROW_ID, *config.feature_names])
    if config.endpoint.content_type == "text/csv":
        return _csv(_plain_rows(table))
    lines = [{"id": identity, "payload": {"features": values}} for identity, *values in _plain_rows(table)]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def on_one_line(rows: pa.Table, config: ModelConfig) -> pa.Table:
    r"""Keep the rows that batch transform can take: it splits CSV at every line break, in quotes too. JSON writes them as text.

    Parameters
    ----------
    rows : Table
        With `row_id` and the features of `config`, typed.

    >>> from kedge.model_config import parse_model_config
    >>> config = parse_model_config("{model: m, endpoint: {name: e}, features: [{name: c, kind: categorical}]}", source="m.yaml")
    >>> on_one_line(pa.table({"row_id": ["a", "b"], "c": ["x\ny", None]}), config).column("row_id").to_pylist()
    ['b']
    """
    if config.endpoint.content_type != "text/csv":
        return rows
    broken = pa.array([False] * rows.num_rows, pa.bool_())
    for name in (ROW_ID, *config.feature_names):
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


def _feature(column: pa.ChunkedArray, feature: Feature) -> pa.Array:
    if feature.kind != "numeric":
        return typed_column(column, Column(feature.name, "feature", feature.kind, feature.declared_dtype))
    values = cast_numbers(column, feature.declared_dtype).values
    numbers = pa.array(values, mask=~np.isfinite(values))
    whole = feature.declared_dtype == "int64" and bool((values[np.isfinite(values)] % 1 == 0).all())
    # A fraction in a column declared whole is the data's mistake: truncating it would hide it from the model.
    return numbers.cast(pa.int64()) if whole else numbers


def _labels(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_floating(column.type) and pc.all(pc.equal(column, pc.round(column))).as_py() is not False:
        # A class that went through a float is written without its ".0".
        column = column.cast(pa.int64())
    return cast_text(column)


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # pandas writes nanoseconds; what is below a microsecond is cut off.
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        return pc.assume_timezone(column.cast(pa.timestamp("us"), safe=False), "UTC")
    return column.cast(pa.timestamp("us", "UTC"), safe=False)


def _plain_rows(table: pa.Table) -> list[list[Any]]:
    columns = [
        _instants(column) if pa.types.is_timestamp(column.type) else column.to_pylist() for column in table.columns
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _instants(column: pa.ChunkedArray) -> list[str]:
    # Arrow's %S writes as many decimals as the type has.
    seconds = column.cast(pa.timestamp("s", "UTC"), safe=False)
    texts: list[str] = pc.strftime(seconds, "%Y-%m-%dT%H:%M:%SZ").to_pylist()
    return texts


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
