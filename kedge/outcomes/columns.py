"""A column of answers or of labels, of any type, read as the numbers or codes that a kind of problem needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.arrays import Bools
from kedge.columns.casting import cast_numbers, cast_text
from kedge.columns.class_codes import EXAMPLES_SHOWN, class_codes, class_numbers
from kedge.config.sections import Problem


@dataclass(frozen=True)
class OutcomeColumn:
    """One column as it was read.

    Attributes
    ----------
    values : ndarray, shape (n_rows,)
        Floats, or codes of classes.
    known, strange, outside : ndarray of bool, shape (n_rows,)
        Rows with a usable value | with one that cannot be read | with a number that is not a probability.
    examples : tuple of str
        Some that cannot be read.
    """

    values: NDArray[np.float64] | NDArray[np.int64]
    known: Bools
    strange: Bools
    outside: Bools
    examples: tuple[str, ...] = ()


def label_column(column: Any, problem: Problem, classes: tuple[str, ...]) -> OutcomeColumn:
    """The truth: codes of classes, or numbers.

    >>> import pyarrow as pa
    >>> label_column(pa.array(["1", None, "x"]), "regression", ()).known.tolist()
    [True, False, False]
    """
    return _numbers(column) if problem == "regression" else _codes(column, classes)


def answer_column(column: Any, problem: Problem, classes: tuple[str, ...]) -> OutcomeColumn:
    """The model's answers: probabilities of the last class, codes of classes, or numbers.

    The answers of two classes may be classes themselves, words or numbers: then they are 0.0 and 1.0.

    >>> import pyarrow as pa
    >>> answer_column(pa.array(["no", "yes"]), "binary_classification", ("no", "yes")).values.tolist()
    [0.0, 1.0]
    >>> answer_column(pa.array([1, 2, 1]), "binary_classification", ("1", "2")).values.tolist()
    [0.0, 1.0, 0.0]
    """
    if problem == "multiclass_classification":
        return _codes(column, classes)
    numbers = _numbers(column)
    if problem == "regression":
        return numbers
    outside = numbers.known & ((numbers.values < 0) | (numbers.values > 1))
    scores = OutcomeColumn(numbers.values, numbers.known & ~outside, numbers.strange, outside, numbers.examples)
    if numbers.strange.any() or _named_by(classes, numbers.values) >= scores.known.sum():
        decided = _codes(column, classes)
        # The reading that understands more rows; with classes 1 and 2, a batch of only 1 is read as classes.
        if decided.known.sum() >= scores.known.sum():
            values = np.maximum(decided.values, 0).astype(np.float64)
            return OutcomeColumn(values, decided.known, decided.strange, decided.outside, decided.examples)
    return scores


def _named_by(classes: tuple[str, ...], values: NDArray[np.float64] | NDArray[np.int64]) -> int:
    """How many numbers are one of two classes that are numbers other than 0 and 1; -1 if the classes are not such numbers."""
    pair = class_numbers(classes)
    return int(np.isin(values, pair).sum()) if pair and {*pair} != {0.0, 1.0} else -1


def _codes(column: Any, classes: tuple[str, ...]) -> OutcomeColumn:
    found = class_codes(column, classes)
    nowhere = np.zeros(len(found.codes), bool)
    return OutcomeColumn(found.codes, found.codes >= 0, found.codes == -2, nowhere, found.strangers)


def _numbers(column: Any) -> OutcomeColumn:
    numbers = cast_numbers(column, "float64", placeholders=False)
    strange = numbers.unparsable | np.isinf(numbers.values)
    examples: tuple[str, ...] = ()
    if strange.any():
        examples = tuple(sorted(pc.unique(cast_text(column).filter(strange)).to_pylist())[:EXAMPLES_SHOWN])
    return OutcomeColumn(numbers.values, np.isfinite(numbers.values), strange, np.zeros(len(strange), bool), examples)
