"""Columns as they are declared, and values cast to their declared type before anything is counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.config.model import ModelConfig
from kedge.errors import UncountableColumnError

# The words of spreadsheets, pandas and R for a missing value.
MISSING_WORDS = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A", "n/a", "<NA>", "NaT")
# And where numbers belong; a category may have levels of these names.
NUMBER_PLACEHOLDERS = ("-", "--", "?", ".", "none", "NONE", "Null", "na", "Na", "#N/A", "#NA", "missing", "unknown")
# Arrow reads these; the rest may still be a number with blanks around it, or a boolean.
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf|Inf|INF|infinity|Infinity)$"
_BOOLEANS = {"true": 1.0, "false": 0.0}


Kind = Literal["numeric", "categorical", "boolean", "timestamp"]


@dataclass(frozen=True)
class Column:
    """One watched column: a feature of the payload, or the prediction.

    >>> Column("paid", "feature", "boolean", "string").counted_as
    'categorical'
    """

    name: str
    role: Literal["feature", "prediction"]
    kind: Kind
    dtype: str

    @property
    def counted_as(self) -> Literal["numeric", "categorical"]:
        """How it is counted: a timestamp as a number (its age in days), and a boolean as a category of two levels."""
        return "numeric" if self.is_number else "categorical"

    @property
    def is_number(self) -> bool:
        """Whether it is cut at edges."""
        return self.kind in ("numeric", "timestamp")


@dataclass(frozen=True)
class Numbers:
    """A numeric column after casting.

    Attributes
    ----------
    values : ndarray of float, shape (n_rows,)
        In the declared precision; NaN where missing or unparsable.
    unparsable : ndarray of bool, shape (n_rows,)
        Rows with text that is not a number.
    """

    values: NDArray[np.float64]
    unparsable: NDArray[np.bool_]

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """Which rows have no value."""
        return np.isnan(self.values) & ~self.unparsable


def columns_of(config: ModelConfig) -> tuple[Column, ...]:
    """The columns that a model's YAML watches: its features, its prediction, and with several classes its margin.

    Where answers are not captured, its features alone.
    """
    features = tuple(Column(f.name, "feature", f.kind, f.declared_dtype) for f in config.features if f.watched)
    answers = (prediction_of(config), *margin_columns(config)) if config.capture.has_answers else ()
    return (*features, *answers)


def prediction_of(config: ModelConfig) -> Column:
    """The column of the answers, also where none is captured: tables have it without values then."""
    kind: Kind = "categorical" if config.problem == "multiclass_classification" else "numeric"
    return Column(config.prediction.name, "prediction", kind, "float64" if kind == "numeric" else "string")


def margin_columns(config: ModelConfig) -> tuple[Column, ...]:
    """The derived column of `kedge.columns.margins`, for models that have one."""
    return (Column(config.margin_column, "prediction", "numeric", "float64"),) if config.margin_column else ()


def cast_numbers(values: Any, dtype: str, *, placeholders: bool = True) -> Numbers:
    """Cast text or numbers to a declared numeric dtype.

    A float32 that went through CSV must land in the cell it came from, so both sides are rounded to the declared
    precision first.

    Parameters
    ----------
    values : Array or ChunkedArray
        Text, numbers or booleans, with nulls.
    dtype : str
        "float64", "float32" or "int64".
    placeholders : bool
        Whether `-`, `?` and the like are no value, as among measured numbers; of answers and labels they are unparsable.

    >>> numbers = cast_numbers(pa.array(["1.5", "", "x", " true"]), "float64")
    >>> numbers.values.tolist()[::3], numbers.missing.tolist(), numbers.unparsable.tolist()
    ([1.5, 1.0], [False, True, False, False], [False, False, True, False])
    """
    array = plain_array(values)
    unparsable: NDArray[np.bool_] = np.broadcast_to(np.False_, len(array))
    if is_number(array.type) and not pa.types.is_decimal(array.type):
        floats = _floats(array if pa.types.is_float64(array.type) else array.cast(pa.float64(), safe=False))
    else:
        floats, unparsable = _parse(text_array(array), missing_words(placeholders=placeholders))
    if dtype == "float32":
        with np.errstate(over="ignore"):
            floats = floats.astype(np.float32).astype(np.float64)
    return Numbers(floats, unparsable)


def cast_text(values: Any) -> Any:
    """Text of a categorical column as a plain Arrow string array; words for "no value" become null.

    >>> cast_text(pa.array(["a", "", None])).to_pylist()
    ['a', None, None]
    """
    array = text_array(values)
    # Without values, is_in has nothing to compare and answers null.
    return pc.if_else(pc.is_in(array, missing_words()), pa.scalar(None, pa.string()), array)


def text_array(values: Any) -> Any:
    """One plain array of strings from anything that Arrow can write as text.

    Raises
    ------
    UncountableColumnError
        If it holds bytes that are not UTF-8, or a nested type.

    >>> text_array(pa.array([1.0, 2.5, None])).to_pylist()
    ['1', '2.5', None]
    """
    array = plain_array(values)
    try:
        return array if pa.types.is_string(array.type) else array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UncountableColumnError(kind=str(array.type)) from error


def plain_array(values: Any) -> Any:
    """One array without dictionary from an array or a chunked one.

    >>> plain_array(pa.chunked_array([["a"], ["b"]])).to_pylist()
    ['a', 'b']
    """
    array = one_array(values)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def one_array(values: Any) -> Any:
    """One array, with its dictionary if it has one, from an array or a chunked one.

    >>> one_array(pa.chunked_array([["a"], ["b"]])).to_pylist()
    ['a', 'b']
    """
    if isinstance(values, pa.ChunkedArray):
        return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    return values


def is_number(kind: Any) -> bool:
    """Whether Arrow holds values of this type as numbers (decimals too), booleans or nothing at all.

    >>> is_number(pa.int8()), is_number(pa.bool_()), is_number(pa.string())
    (True, True, False)
    """
    types = pa.types
    numbers = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return bool(numbers or types.is_boolean(kind) or types.is_null(kind))


def _floats(array: Any) -> NDArray[np.float64]:
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)


def _parse(array: Any, no_value: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers from text (NaN without one), and which of the others are not words for "no value"."""
    unparsable = np.zeros(len(array), bool)
    try:
        return _floats(array.cast(pa.float64())), unparsable
    except pa.ArrowInvalid:
        plain = pc.fill_null(pc.match_substring_regex(array, _NUMBER), False)
        values = np.array(_floats(pc.if_else(plain, array, pa.scalar(None, pa.string())).cast(pa.float64())))
        absent = pc.or_(pc.is_null(array), pc.is_in(pc.utf8_trim_whitespace(array), no_value))
        odd = np.flatnonzero(pc.invert(pc.or_(plain, absent)).to_numpy(zero_copy_only=False))
        values[odd] = [_number(text) for text in array.take(pa.array(odd)).to_pylist()]
        unparsable[odd] = np.isnan(values[odd])
        return values, unparsable


def _number(text: str) -> float:
    trimmed = text.strip()
    if re.match(_NUMBER, trimmed, re.ASCII):
        return float(trimmed)
    return _BOOLEANS.get(trimmed.lower(), np.nan)


@cache
def missing_words(*, placeholders: bool = False) -> Any:
    """The words for a missing value, and those that stand where numbers belong, as Arrow's array.

    Made when it is first needed: with the first array of a list pyarrow imports pandas, which many functions never need.
    """
    return pa.array((*MISSING_WORDS, *NUMBER_PLACEHOLDERS) if placeholders else MISSING_WORDS)
