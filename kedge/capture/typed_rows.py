"""Rows as tables hold them: each column in the type that the model's YAML declares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from kedge.columns.ages import as_timestamps
from kedge.columns.casting import Column, cast_numbers, cast_text, prediction_of
from kedge.config.model import ModelConfig
from kedge.profile.bins import BOOLEAN_LEVELS
from kedge.profile.levels import boolean_cells


def typed_predictions(table: pa.Table, config: ModelConfig, identifiers: tuple[str, ...]) -> pa.Table:
    """Rows of the predictions table, each column in its declared type; what cannot be read as that becomes null.

    Parameters
    ----------
    table : Table
        The identifiers, every feature, the prediction, the classes' probabilities and the context, as text.
    identifiers : tuple of str
        Columns to keep as they are.
    """
    columns = {name: table.column(name) for name in identifiers}
    for feature in config.features:
        column = Column(feature.name, "feature", feature.kind, feature.declared_dtype)
        columns[feature.name] = typed_column(table.column(feature.name), column)
    prediction = prediction_of(config)
    columns[prediction.name] = typed_column(table.column(prediction.name), prediction)
    for name in config.prediction.probabilities:
        columns[name] = typed_column(table.column(name), Column(name, "prediction", "numeric", "float64"))
    for name in config.context:
        columns[name] = cast_text(table.column(name))
    return pa.table(columns)


def typed_column(values: Any, column: Column) -> Any:
    """One column as numbers, text, timestamps in UTC, or the words true and false.

    >>> typed_column(pa.array(["True", "0", "?"]), Column("paid", "feature", "boolean", "string")).to_pylist()
    ['true', 'false', None]
    """
    if column.kind == "categorical":
        return cast_text(values)
    if column.kind == "boolean":
        nothing = len(BOOLEAN_LEVELS)
        cells = boolean_cells(values, missing=nothing, other=nothing)
        return pa.array([*BOOLEAN_LEVELS, None]).take(pa.array(cells.of_rows()))
    if column.kind == "timestamp":
        return as_timestamps(values)
    numbers = cast_numbers(values, column.dtype)
    array = pa.array(numbers.values, pa.float64(), mask=np.isnan(numbers.values))
    return array.cast(pa.float32(), safe=False) if column.dtype == "float32" else array
