"""Which level each text of a column is: as it stands, in another spelling, rare, or unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.columns import MISSING_WORDS, one_array, text_array
from kedge.level_hashes import level_hashes

Ints = NDArray[np.int64]
_MISSING_ARRAY = pa.array(MISSING_WORDS)
_BOOLEANS = {"false": 0, "true": 1, "0": 0, "1": 1}


@dataclass(frozen=True)
class Places:
    """Where each row of a column belongs: `places[codes[i]]` is row i's.

    Rows are counted by their codes, of which there are few, without writing down the place of each.
    """

    places: Ints
    codes: NDArray[np.integer[Any]]

    def of_rows(self) -> Ints:
        """Place of each row."""
        return np.asarray(self.places[self.codes])

    def counts(self, size: int) -> Ints:
        """Rows per place.

        >>> Places(np.array([0, 2, 2]), np.array([1, 2, 2, 0])).counts(3).tolist()
        [1, 0, 3]
        """
        found = np.zeros(size, np.int64)
        np.add.at(found, self.places, np.bincount(self.codes, minlength=len(self.places)))
        return found


def level_cells(levels: Any, rare: NDArray[np.uint64], values: Any, *, missing: int, other: int) -> Places:
    """Place of each value among `levels`; behind them stands what is rare.

    Parameters
    ----------
    levels : Array of string
    rare : ndarray of uint64
        Hashes of the levels that share one place, ascending.
    missing, other : int
        Places of what has no value, and of what is no level.

    >>> found = level_cells(pa.array(["1", "2"]), np.empty(0, np.uint64), pa.array([1.0, None, 7.0]), missing=8, other=9)
    >>> found.of_rows().tolist()
    [0, 8, 9]
    """
    array = one_array(values)
    if pa.types.is_dictionary(array.type):
        words = level_cells(levels, rare, array.dictionary, missing=missing, other=other)
        return _looked_up(array, words.of_rows(), missing)
    text = text_array(array)
    found = pc.index_in(text, value_set=levels)
    if not found.null_count:
        return Places(np.arange(max(len(levels), 1)), found.to_numpy(zero_copy_only=False))
    places = np.array(found.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    lost = np.flatnonzero(places < 0)
    coded = text.take(pa.array(lost)).dictionary_encode()
    spelt = _lost_cells(levels, rare, coded.dictionary, missing=missing, other=other)
    places[lost] = _looked_up(coded, spelt, missing).of_rows()
    return Places(np.arange(max(missing, other) + 1), places)


def boolean_cells(values: Any, *, missing: int, other: int) -> Places:
    """0 for false, 1 for true, in any spelling of Python's, JSON's and SQL's, and for 0 and 1.

    Parameters
    ----------
    missing, other : int
        Places of what has no value, and of what is neither.

    >>> boolean_cells(pa.array(["True", "0", "", "maybe"]), missing=2, other=3).of_rows().tolist()
    [1, 0, 2, 3]
    """
    words = text_array(one_array(values)).dictionary_encode()
    found = [
        missing if word in MISSING_WORDS else _BOOLEANS.get(word.strip().lower().removesuffix(".0"), other)
        for word in words.dictionary.to_pylist()
    ]
    return _looked_up(words, np.array(found, np.int64), missing)


def spelling(text: Any, *, booleans: bool = False) -> Any:
    """Text as it is compared where it is no level as it stands: pandas writes 3 as 3.0 once a value is missing.

    >>> spelling(pa.array(["3.0", "a"])).to_pylist(), spelling(pa.array(["True"]), booleans=True).to_pylist()
    (['3', 'a'], ['true'])
    """
    return pc.utf8_lower(text) if booleans else pc.replace_substring_regex(text, r"\.0$", "")


def _lost_cells(levels: Any, rare: NDArray[np.uint64], words: Any, *, missing: int, other: int) -> Ints:
    known, booleans = _spelt(levels)
    spelt = spelling(words, booleans=booleans)
    found = np.array(pc.fill_null(pc.index_in(spelt, value_set=known), -1).to_numpy(zero_copy_only=False), np.int64)
    unknown = np.flatnonzero(found < 0)
    found[unknown] = other
    if len(rare):
        hashes = level_hashes(spelt.take(pa.array(unknown)))
        nearest = np.minimum(np.searchsorted(rare, hashes), len(rare) - 1)
        found[unknown[rare[nearest] == hashes]] = len(levels)
    found[pc.is_in(words, _MISSING_ARRAY).to_numpy(zero_copy_only=False)] = missing
    return found


def _looked_up(coded: Any, places: Ints, missing: int) -> Places:
    """Each distinct text is looked up once; what has no code is missing."""
    if not coded.null_count:
        return Places(places, coded.indices.to_numpy(zero_copy_only=False))
    codes = coded.indices.cast(pa.int64()).fill_null(len(places))
    return Places(np.append(places, missing), codes.to_numpy(zero_copy_only=False))


def _spelt(levels: Any) -> tuple[Any, bool]:
    booleans = bool(len(levels)) and set(pc.utf8_lower(levels[:3]).to_pylist()) <= {"true", "false"}
    return spelling(levels, booleans=booleans), booleans
