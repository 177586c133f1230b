"""Classes as text: one spelling for 1, 1.0, "1" and true, and the code of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.columns.casting import cast_text, plain_array

EXAMPLES_SHOWN = 3
# Of two words that answer a question, the one that means yes.
_YES = {"1", "true", "yes", "y", "t", "positive", "pos", "bad", "fraud", "churn", "churned", "default", "cancelled"}
BOOLEANS = {"true": "1", "false": "0"}


@dataclass(frozen=True)
class ClassCodes:
    """A column of classes by their codes.

    Attributes
    ----------
    codes : ndarray of int, shape (n_rows,)
        Position of the class; -1 for a missing value, -2 for a value that is none of the classes.
    strangers : tuple of str
        Some values that are none of the classes, as they are written.
    """

    codes: NDArray[np.int64]
    strangers: tuple[str, ...]


# The same few words are read of every batch of rows.
@lru_cache(maxsize=10_000)
def canonical(word: str) -> str:
    """One spelling of a class: a whole number loses its ".0", other text its outer blanks.

    >>> canonical("1.0"), canonical(" a "), canonical("1e0"), canonical("2.5")
    ('1', 'a', '1', '2.5')
    """
    trimmed = word.strip()
    try:
        number = float(trimmed)
    except ValueError:
        return trimmed
    return str(int(number)) if np.isfinite(number) and number == int(number) else trimmed


def distinct_words(values: Any) -> tuple[str, ...]:
    """The different values of a column in their one spelling, sorted; as numbers if all are numbers.

    >>> import pyarrow as pa
    >>> distinct_words(pa.array([10.0, 2.0, None, 2.0])), distinct_words(pa.array([True]))
    (('2', '10'), ('true',))
    """
    found = {canonical(word) for word in cast_text(pc.unique(plain_array(values))).to_pylist() if word is not None}
    try:
        return tuple(sorted(found, key=float))
    except ValueError:
        return tuple(sorted(found))


def class_codes(values: Any, classes: tuple[str, ...]) -> ClassCodes:
    """Code each row of a column.

    Parameters
    ----------
    values : Array or ChunkedArray
        Text, numbers or booleans.
    classes : tuple of str
        As the model's YAML writes them. If they are 0 and 1, true and false mean the same, and the reverse.

    >>> import pyarrow as pa
    >>> class_codes(pa.array([1.0, 0.0, None, 7.0]), ("0", "1"))
    ClassCodes(codes=array([ 1,  0, -1, -2]), strangers=('7',))
    """
    words = pc.dictionary_encode(plain_array(values))
    known = {canonical(name): code for code, name in enumerate(classes)}
    by_boolean = {BOOLEANS.get(name.lower(), name): code for name, code in known.items()}
    spelt = [None if word is None else canonical(word) for word in cast_text(words.dictionary).to_pylist()]
    table = [-1 if w is None else known.get(w, by_boolean.get(BOOLEANS.get(w.lower(), w), -2)) for w in spelt]
    indices = pc.fill_null(words.indices, len(table)).to_numpy(zero_copy_only=False)
    codes = np.array([*table, -1], np.int64)[indices]
    strangers = sorted({w for w, code in zip(spelt, table, strict=True) if w is not None and code == -2})
    return ClassCodes(codes, tuple(strangers[:EXAMPLES_SHOWN]))


def class_numbers(classes: Sequence[str]) -> tuple[float, ...] | None:
    """Classes as numbers; None if they are words, or if none are known.

    >>> class_numbers(("1", "2.0")), class_numbers(("no", "yes"))
    ((1.0, 2.0), None)
    """
    try:
        return tuple(float(name) for name in classes) or None
    except ValueError:
        return None


def ordered_pair(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """Two classes with the positive one last, if their words show which one that is; else None.

    >>> ordered_pair(("yes", "no")), ordered_pair(("cat", "dog")), ordered_pair(("1", "2"))
    (('no', 'yes'), None, ('1', '2'))
    """
    if all(word.lstrip("+-").replace(".", "", 1).isdigit() for word in words):
        low, high = sorted(words, key=float)
        return low, high
    said = [word.lower() in _YES for word in words]
    return tuple(sorted(words, key=lambda word: word.lower() in _YES)) if sum(said) == 1 else None
