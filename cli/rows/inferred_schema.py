"""Which columns of a file are worth watching, and their kinds, without a YAML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Floats
from kedge.columns.casting import NUMBER_PLACEHOLDERS, cast_numbers, cast_text, is_number, one_array
from kedge.columns.times import row_times
from kedge.config.sections import Feature

# A text column counts as numeric although this fraction of its values is none: those are type errors, not levels.
ODD_FRACTION_MAX = 0.01
IDENTIFIER_ROWS_MIN, IDENTIFIER_FRACTION_MIN = 100, 0.9
# Numbers that grow from nearly every row to the next, or that nearly fill their range and repeat nowhere, count the rows.
GROWING_FRACTION_MIN, SPAN_MAX = 0.99, 3
NO_VALUE = "it has no value in any row"
# The last two are what pandas calls a row's number in Parquet and in CSV.
_IDENTIFIER_NAME = re.compile(
    r"(^|_)(id|uuid|guid|key|index|row_?number)$|^__index_level_\d+__$|^Unnamed: 0$", re.IGNORECASE
)
# A code, such as that of a town: a number would lose its first digit.
_LEADING_ZERO, _WHOLE = r"^0[0-9]+$", r"^[0-9]+$"
_WORDS_LOOKED_AT = 1000
_FIRST_ROWS = 64


@dataclass(frozen=True)
class InferredSchema:
    """The columns to watch, why each of the others is not, and which words of each are read as "no value"."""

    features: tuple[Feature, ...]
    left_out: dict[str, str]
    placeholders: dict[str, str] = field(default_factory=dict)


def infer_schema(columns: Mapping[str, Any], *, apart: set[str], declared: pa.Schema | None = None) -> InferredSchema:
    """Infer each column's kind from values of the baseline.

    Parameters
    ----------
    apart : set of str
        The prediction and the label.
    declared : Schema, optional
        The file's own: text that it declares a category (pandas' category, R's factor) is one, also where it reads as numbers, and
        text of whole numbers is a code. Of CSV there is none: all of it is text.
    """
    features, left_out, placeholders = [], {}, {}
    categories = {one.name for one in declared or () if pa.types.is_dictionary(one.type)}
    texts = {one.name for one in declared or () if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)}
    for name, values in columns.items():
        if name in apart:
            continue
        kind: Any = "categorical" if name in categories else kind_of(values, declared_text=name in texts)
        reason = _why_not(name, values, kind)
        if reason:
            left_out[name] = reason
            continue
        features.append(Feature(name=name, kind=kind, dtype=dtype_of(values.type)))
        if kind == "numeric" and (found := _placeholders(values)):
            placeholders[name] = found
    return InferredSchema(tuple(features), left_out, placeholders)


def kind_of(values: Any, *, declared_text: bool = False) -> Any:
    """Numeric where the values are numbers, or text that reads as numbers.

    Booleans are `boolean`, so that `true` in Parquet and `True` in a CSV request are one level, to Kedge and to the model.
    """
    kind = value_type(values)
    if is_number(kind):
        return "boolean" if pa.types.is_boolean(kind) else "numeric"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_temporal(kind):
        return "categorical"
    words, rows = _words(values)
    found = {str(word).lower() for word in words.to_pylist()[:_WORDS_LOOKED_AT]}
    if found <= {"true", "false"}:
        return "boolean" if found else "categorical"
    if _any(words, _LEADING_ZERO) or (declared_text and not _any(words, _WHOLE, of_none=True)):
        return "categorical"
    numbers = cast_numbers(words, "float64")
    unparsable = int(rows[numbers.unparsable].sum())
    return (
        "numeric"
        if unparsable <= ODD_FRACTION_MAX * rows.sum() and not np.isnan(numbers.values).all()
        else "categorical"
    )


def value_type(values: Any) -> Any:
    """Arrow's type of the values, whether or not they stand in a dictionary."""
    return values.type.value_type if pa.types.is_dictionary(values.type) else values.type


def dtype_of(kind: Any) -> Any:
    """What to round both sides to, where one of them is less precise than a float64; else None."""
    return "float32" if pa.types.is_float32(kind) or pa.types.is_float16(kind) else None


def is_single_precision(values: Any) -> bool:
    """Whether these are float32, by their type or, of what went through text or JSON, by their digits: too many, and all of float32."""
    kind = value_type(values)
    if dtype_of(kind):
        return True
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_temporal(kind):
        return False
    with np.errstate(over="ignore"):
        if not _all_equal(values, lambda numbers: numbers.astype(np.float32).astype(np.float64)):
            return False
    numbers = _finite(values)
    # Seven digits are what a float32 holds: a short decimal, such as 0.5, says nothing of where it has been.
    return any(float(f"{number:.7g}") != number for number in np.unique(numbers)[:_WORDS_LOOKED_AT].tolist())


def is_void(values: Any) -> bool:
    """Whether no row has a value."""
    if values.null_count == len(values):
        return True
    if pa.types.is_floating(value_type(values)):
        # pandas writes NaN where there is no value.
        return bool(pc.all(pc.is_nan(values)).as_py())
    return bool(value_type(values) == pa.string()) and not pc.count(cast_text(pc.unique(values))).as_py()


def _any(words: Any, pattern: str, *, of_none: bool = False) -> bool:
    """Whether any of these words matches, or with `of_none` any does not."""
    found = pc.match_substring_regex(words, pattern)
    return bool(pc.any(pc.invert(found) if of_none else found).as_py())


def _words(values: Any) -> tuple[Any, Any]:
    """The different texts that are not missing, and the rows of each: far fewer to look at than rows."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    codes = encoded.indices.drop_null().to_numpy(zero_copy_only=False)
    rows = np.bincount(codes, minlength=len(encoded.dictionary))
    text = cast_text(encoded.dictionary)
    known = text.is_valid()
    return text.filter(known), rows[known.to_numpy(zero_copy_only=False)]


def _placeholders(values: Any) -> str:
    """The words among numbers that are read as "no value", with their share of the rows."""
    if is_number(value_type(values)):
        return ""
    words, rows = _words(values)
    there = [
        (word, int(n)) for word, n in zip(words.to_pylist(), rows, strict=True) if word.strip() in NUMBER_PLACEHOLDERS
    ]
    return ", ".join(f"{word!r} in {n / len(values):.1%} of the rows" for word, n in there if n)


def _why_not(name: str, values: Any, as_kind: str) -> str:
    if not name.strip():
        return "it has no name: perhaps the number of the row"
    kind = value_type(values)
    if pa.types.is_temporal(kind):
        return "a time, which always moves on"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return f"its values are of type {kind}"
    if is_void(values):
        return NO_VALUE
    if as_kind == "categorical" and _are_times(values):
        return "a time, which always moves on"
    return _identifier(name, values, as_kind)


def _identifier(name: str, values: Any, as_kind: str) -> str:
    """Why a column is taken for an identifier, by how its values behave; nothing where it is none."""
    rows = len(values) - values.null_count
    if rows < IDENTIFIER_ROWS_MIN:
        return ""
    # Most floats are not whole, and counting different ones is the dearest of all looks at a column.
    if as_kind != "categorical" and pa.types.is_floating(value_type(values)) and not _are_whole(values):
        return ""
    distinct = _distinct(values)
    if distinct < IDENTIFIER_FRACTION_MIN * rows:
        return ""
    if as_kind == "categorical":
        return f"{distinct:,} different texts in {rows:,} rows: an identifier, or a time"
    if _counts_rows(values, named=bool(_IDENTIFIER_NAME.search(name))):
        return f"{distinct:,} different numbers in {rows:,} rows: an identifier"
    return ""


def _distinct(values: Any) -> int:
    """How many different values there are."""
    array = one_array(values)
    if pa.types.is_dictionary(array.type):
        return int(np.count_nonzero(np.bincount(array.indices.drop_null().to_numpy(zero_copy_only=False))))
    return int(pc.count_distinct(array).as_py())


def _are_whole(values: Any) -> bool:
    return _all_equal(values, np.floor)


def _all_equal(values: Any, rounded: Callable[[Floats], Floats]) -> bool:
    """Whether rounding leaves every number as it is; where it does not, the first rows mostly show it."""
    found = (_finite(some) for some in (values.slice(0, _FIRST_ROWS), values))
    return all(np.array_equal(numbers, rounded(numbers)) for numbers in found)


def _finite(values: Any) -> Floats:
    numbers = cast_numbers(values, "float64").values
    return numbers[np.isfinite(numbers)]


def _are_times(values: Any) -> bool:
    """Whether the texts are dates or times, whatever the file's format: of CSV they are text, of Parquet and JSON perhaps not."""
    words = _words(values)[0][:_WORDS_LOOKED_AT]
    times = row_times(words)
    # A number may be a time as well, and is a number here.
    numbers = ~np.isnan(cast_numbers(words, "float64").values)
    return bool(len(words)) and times.known.mean() >= 1 - ODD_FRACTION_MAX and not numbers.any()


def _counts_rows(values: Any, *, named: bool) -> bool:
    """Whether nearly unique numbers behave like the number of a row or of a customer: whole, and growing or without gaps."""
    numbers = _finite(values)
    if not len(numbers) or (numbers != np.floor(numbers)).any():
        return False
    growing = (np.diff(numbers) > 0).mean() >= GROWING_FRACTION_MIN
    fills = len(np.unique(numbers)) == len(numbers) and np.ptp(numbers) < SPAN_MAX * len(numbers)
    return named or bool(growing or fills)
