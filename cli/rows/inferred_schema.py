"""Which columns of a file are worth watching, and their kinds, without a YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.columns.casting import cast_numbers, cast_text, is_number, plain_array
from kedge.config.sections import Feature

# A text column counts as numeric although this fraction of its values is none: those are type errors, not levels.
ODD_FRACTION_MAX = 0.01
IDENTIFIER_ROWS_MIN, IDENTIFIER_FRACTION_MIN = 100, 0.9
# The last two are what pandas calls a row's number in Parquet and in CSV.
_IDENTIFIER_NAME = re.compile(
    r"(^|_)(id|uuid|guid|key|index|row_?number)$|^__index_level_\d+__$|^Unnamed: 0$", re.IGNORECASE
)


@dataclass(frozen=True)
class InferredSchema:
    """The columns to watch, and why each of the others is not."""

    features: tuple[Feature, ...]
    left_out: dict[str, str]


def infer_schema(columns: Mapping[str, Any], *, apart: set[str], declared: pa.Schema | None = None) -> InferredSchema:
    """Infer each column's kind from values of the baseline.

    Parameters
    ----------
    apart : set of str
        The prediction and the label.
    declared : Schema, optional
        The file's own: text that it declares a category (pandas' category, R's factor) is one, also where it reads as numbers.
    """
    features, left_out = [], {}
    categories = {field.name for field in declared or () if pa.types.is_dictionary(field.type)}
    for name, values in columns.items():
        if name in apart:
            continue
        reason = _why_not(name, values)
        if reason:
            left_out[name] = reason
        else:
            kind: Any = "categorical" if name in categories else kind_of(values)
            features.append(Feature(name=name, kind=kind, dtype=dtype_of(values.type)))
    return InferredSchema(tuple(features), left_out)


def kind_of(values: Any) -> Any:
    """Numeric where the values are numbers, or text that reads as numbers.

    Booleans are `boolean`, so that `true` in Parquet and `True` in a CSV request are one level, to Kedge and to the model.
    """
    kind = value_type(values)
    if is_number(kind):
        return "boolean" if pa.types.is_boolean(kind) else "numeric"
    words, rows = _words(values)
    found = {str(word).lower() for word in words.to_pylist()[:1000]}
    if found <= {"true", "false"}:
        return "boolean" if found else "categorical"
    unparsable = int(rows[cast_numbers(words, "float64").unparsable].sum())
    return "numeric" if unparsable <= ODD_FRACTION_MAX * rows.sum() else "categorical"


def value_type(values: Any) -> Any:
    """Arrow's type of the values, whether or not they stand in a dictionary."""
    return values.type.value_type if pa.types.is_dictionary(values.type) else values.type


def dtype_of(kind: Any) -> Any:
    """What to round both sides to, where one of them is less precise than a float64; else None."""
    return "float32" if pa.types.is_float32(kind) or pa.types.is_float16(kind) else None


def _words(values: Any) -> tuple[Any, Any]:
    """The different texts that are not missing, and the rows of each: far fewer to look at than rows."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    codes = encoded.indices.drop_null().to_numpy(zero_copy_only=False)
    rows = np.bincount(codes, minlength=len(encoded.dictionary))
    text = cast_text(encoded.dictionary)
    known = text.is_valid()
    return text.filter(known), rows[known.to_numpy(zero_copy_only=False)]


def _why_not(name: str, values: Any) -> str:
    if not name.strip():
        return "it has no name: perhaps the number of the row"
    kind = value_type(values)
    if pa.types.is_temporal(kind):
        return "a time, which always moves on"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return f"its values are of type {kind}"
    rows = len(values) - values.null_count
    if rows < IDENTIFIER_ROWS_MIN or pa.types.is_floating(kind):
        return ""
    distinct = pc.count_distinct(plain_array(values)).as_py()
    if distinct < IDENTIFIER_FRACTION_MIN * rows:
        return ""
    if kind_of(values) == "categorical":
        return f"{distinct} different texts in {rows} rows: an identifier, or a time"
    if _IDENTIFIER_NAME.search(name) or _counts_up(values):
        return f"{distinct} different numbers in {rows} rows: an identifier"
    return ""


def _counts_up(values: Any) -> bool:
    steps = np.diff(cast_numbers(values, "float64").values)
    return bool(len(steps) and (steps == steps[0]).all())
