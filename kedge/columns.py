"""Columns as they are declared, and values cast to what was declared before anything is counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.model_config import ModelConfig

# What spreadsheets, pandas and R write where there is no value.
MISSING_WORDS = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A", "n/a", "<NA>")
# Arrow reads these; what is left may still be a number with blanks around it, or a boolean.
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf|Inf|INF|infinity|Infinity)$"
_BOOLEANS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Column:
    """One watched column: a feature of the payload, or the prediction."""

    name: str
    role: Literal["feature", "prediction"]
    kind: Literal["numeric", "categorical"]
    dtype: str


@dataclass(frozen=True)
class Numbers:
    """A numeric column after casting.

    Attributes
    ----------
    values : ndarray of float, shape (n_rows,)
        In the declared precision; NaN where missing or unparsable.
    missing, unparsable : ndarray of bool, shape (n_rows,)
    """

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    unparsable: NDArray[np.bool_]


def columns_of(config: ModelConfig) -> tuple[Column, ...]:
    """The columns that a model's YAML has watched: its features, then its prediction."""
    features = tuple(Column(f.name, "feature", f.kind, f.declared_dtype) for f in config.features if f.watched)
    kind: Literal["numeric", "categorical"] = (
        "categorical" if config.problem == "multiclass_classification" else "numeric"
    )
    dtype = "float64" if kind == "numeric" else "string"
    return (*features, Column(config.prediction.name, "prediction", kind, dtype))


def cast_numbers(values: Any, dtype: str) -> Numbers:
    """Cast text or numbers to a declared numeric dtype.

    A float32 that went through CSV must land in the cell it came from, so both sides are rounded to the declared
    precision first.

    Parameters
    ----------
    values : Array or ChunkedArray
        Text, numbers or booleans, with nulls.
    dtype : str
        "float64", "float32" or "int64".

    >>> numbers = cast_numbers(pa.array(["1.5", "", "x", " true"]), "float64")
    >>> numbers.values.tolist()[::3], numbers.missing.tolist(), numbers.unparsable.tolist()
    ([1.5, 1.0], [False, True, False, False], [False, False, True, False])
    """
    array = plain_array(values)
    unparsable = np.zeros(len(array), bool)
    if is_number(array.type):
        floats = _floats(array.cast(pa.float64(), safe=False))
    else:
        floats, unparsable = _parse(array.cast(pa.string()))
    if dtype == "float32":
        with np.errstate(over="ignore"):
            floats = floats.astype(np.float32).astype(np.float64)
    return Numbers(floats, np.isnan(floats) & ~unparsable, unparsable)


def cast_text(values: Any) -> Any:
    """Text of a categorical column as a plain Arrow string array; what spells "no value" becomes null.

    >>> cast_text(pa.array(["a", "", None])).to_pylist()
    ['a', None, None]
    """
    array = plain_array(values)
    if not pa.types.is_string(array.type):
        array = array.cast(pa.string())
    # Without values, is_in has nothing to compare and answers null.
    return pc.if_else(pc.is_in(array, _MISSING_ARRAY), pa.scalar(None, pa.string()), array)


def plain_array(values: Any) -> Any:
    """One array without dictionary from an array or a chunked one.

    >>> plain_array(pa.chunked_array([["a"], ["b"]])).to_pylist()
    ['a', 'b']
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def is_number(kind: Any) -> bool:
    """Whether Arrow holds values of this type as numbers, booleans or nothing at all.

    >>> is_number(pa.int8()), is_number(pa.bool_()), is_number(pa.string())
    (True, True, False)
    """
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)
    ) or bool(types.is_null(kind))


def _floats(array: Any) -> NDArray[np.float64]:
    return np.array(array.to_numpy(zero_copy_only=False), np.float64)


def _parse(array: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers from text, NaN where there is none, and which of those are not words for "no value"."""
    unparsable = np.zeros(len(array), bool)
    try:
        return _floats(array.cast(pa.float64())), unparsable
    except pa.ArrowInvalid:
        plain = pc.fill_null(pc.match_substring_regex(array, _NUMBER), False)
        values = _floats(pc.if_else(plain, array, pa.scalar(None, pa.string())).cast(pa.float64()))
        absent = pc.or_(pc.is_null(array), pc.is_in(array, _MISSING_ARRAY))
        odd = np.flatnonzero(pc.invert(pc.or_(plain, absent)).to_numpy(zero_copy_only=False))
        values[odd] = [_number(text) for text in array.take(pa.array(odd)).to_pylist()]
        unparsable[odd] = np.isnan(values[odd])
        return values, unparsable


def _number(text: str) -> float:
    trimmed = text.strip()
    if re.match(_NUMBER, trimmed, re.ASCII):
        return float(trimmed)
    return _BOOLEANS.get(trimmed.lower(), np.nan)


_MISSING_ARRAY = pa.array(MISSING_WORDS)


def typed_predictions(table: pa.Table, config: ModelConfig, identifiers: tuple[str, ...]) -> pa.Table:
    """Rows of the predictions table, each column in its declared type; what cannot be read as a number becomes null.

    Parameters
    ----------
    table : Table
        The identifiers, every feature and the prediction, as text.
    identifiers : tuple of str
        Columns to keep as they are.
    """
    columns = {name: table.column(name) for name in identifiers}
    for feature in config.features:
        columns[feature.name] = _typed(table.column(feature.name), feature.kind, feature.declared_dtype)
    prediction = columns_of(config)[-1]
    columns[prediction.name] = _typed(table.column(prediction.name), prediction.kind, prediction.dtype)
    return pa.table(columns)


def _typed(values: Any, kind: str, dtype: str) -> Any:
    if kind == "categorical":
        return cast_text(values)
    numbers = cast_numbers(values, dtype)
    array = pa.array(numbers.values, pa.float64(), mask=numbers.missing | numbers.unparsable)
    return array.cast(pa.float32(), safe=False) if dtype == "float32" else array
