"""Which columns of a file are worth watching, and as what, where no YAML says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.columns import cast_numbers, cast_text, is_number, plain_array
from kedge.model_config import Feature

# A text column counts as numeric although this fraction of its values is none: those are type errors, not levels.
ODD_FRACTION_MAX = 0.01
IDENTIFIER_ROWS_MIN, IDENTIFIER_FRACTION_MIN = 100, 0.9
_IDENTIFIER_NAME = re.compile(r"(^|_)(id|uuid|guid|key|index|row_?number)$", re.IGNORECASE)


@dataclass(frozen=True)
class InferredSchema:
    """The columns to watch, and why each of the others is not."""

    features: tuple[Feature, ...]
    left_out: dict[str, str]


def infer_schema(table: pa.Table, *, apart: set[str]) -> InferredSchema:
    """Infer each column's kind from the baseline's values; `apart` are the prediction and the label."""
    features, left_out = [], {}
    for name in table.column_names:
        if name in apart:
            continue
        reason = _why_not(name, table.column(name))
        if reason:
            left_out[name] = reason
        else:
            values = table.column(name)
            features.append(Feature(name=name, kind=kind_of(values), dtype=dtype_of(values.type)))
    return InferredSchema(tuple(features), left_out)


def kind_of(values: Any) -> Any:
    """Numeric where the values are numbers, or text that reads as numbers; booleans are categories."""
    array = plain_array(values)
    if is_number(array.type):
        return "categorical" if pa.types.is_boolean(array.type) else "numeric"
    text = cast_text(array).drop_null()
    words = {str(word).lower() for word in pc.unique(text.slice(0, 1000)).to_pylist()}
    if words <= {"true", "false"}:
        return "categorical"
    unparsable = int(cast_numbers(text, "float64").unparsable.sum())
    return "numeric" if unparsable <= ODD_FRACTION_MAX * len(text) else "categorical"


def dtype_of(kind: Any) -> Any:
    """What to round both sides to, where one of them is less precise than a float64; else None."""
    return "float32" if pa.types.is_float32(kind) or pa.types.is_float16(kind) else None


def _why_not(name: str, values: Any) -> str:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
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
