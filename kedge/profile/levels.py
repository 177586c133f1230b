"""The levels of a column of text: which level each text is, how often each occurs, and rare ones as hashes of eight bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.arrays import Hashes, Ints
from kedge.columns.casting import MISSING_WORDS, cast_text, missing_words, one_array, text_array

# A number for each byte, and an odd base: part of the stored form, so never to be changed within a version.
_LETTERS = np.random.Generator(np.random.PCG64(20160104)).integers(0, 2**64, 256, np.uint64, endpoint=False)
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
# Texts are hashed in stretches of about this many bytes.
_STRETCH_BYTES = 2**20
_FALSE, _TRUE = ("false", "f", "no", "n", "off", "0"), ("true", "t", "yes", "y", "on", "1")
_BOOLEANS = {**dict.fromkeys(_FALSE, 0), **dict.fromkeys(_TRUE, 1)}
# Names kept at a time, and hashes of the rare ones: beyond the second, a level of an identifier is as good as unseen.
KEPT_LEVELS, KEPT_HASHES = 1_000_000, 4_000_000
_PENDING_ROWS = 200_000
_LEVELS = pa.schema([("level", pa.string()), ("rows", pa.int64())])


def level_hashes(text: Any) -> Hashes:
    """Hash each text: a polynomial of its bytes modulo 2**64, mixed as Steele, Lea and Flood (2014, OOPSLA) do.

    Two of a million texts share a hash with a probability of about 3e-8.

    Parameters
    ----------
    text : Array
        Strings without nulls.

    >>> a, b, again = level_hashes(pa.array(["a", "ab", "a"])).tolist()
    >>> a == again, a == b
    (True, False)
    """
    array = text.cast(pa.large_string())
    if not len(array):
        return np.empty(0, np.uint64)
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    content = array.buffers()[2]
    data = np.frombuffer(content, np.uint8) if content is not None else np.empty(0, np.uint8)
    found, first = list[Hashes](), 0
    while first < len(array):
        last = max(int(np.searchsorted(offsets, offsets[first] + _STRETCH_BYTES, side="right")) - 1, first + 1)
        found.append(_hashes(data[offsets[first] : offsets[last]], offsets[first : last + 1] - offsets[first]))
        first = last
    return np.concatenate(found)


def _hashes(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Hashes:
    powers = np.full(len(data) + 1, _BASE, np.uint64)
    inverses = np.full(len(data) + 1, _INVERSE, np.uint64)
    powers[0] = inverses[0] = 1
    np.cumprod(powers, out=powers)
    np.cumprod(inverses, out=inverses)
    upto = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_LETTERS[data] * powers[:-1], dtype=np.uint64)])
    # Where a text begins is taken out again, so that only its own bytes count.
    mixed = (upto[offsets[1:]] - upto[offsets[:-1]]) * inverses[offsets[:-1]]
    mixed += np.diff(offsets).astype(np.uint64) * np.uint64(_BASE)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


@dataclass(frozen=True)
class Places:
    """Where each row of a column belongs: `places[codes[i]]` is row i's.

    Rows are counted by their few codes, without writing down the place of each.
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
    """0 for false, 1 for true, in any spelling of Python's, JSON's and SQL's, for yes and no, on and off, and for 0 and 1.

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
    found[pc.is_in(words, missing_words()).to_numpy(zero_copy_only=False)] = missing
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


class LevelCounts:
    """Rows per level. Beyond a million levels the rarer half keep only their hashes (Manku and Motwani, VLDB 2002).

    >>> counts = LevelCounts()
    >>> counts.add(pa.array(["b", "a", "b", None, ""]))
    >>> counts.ranked(1)[0], len(counts.ranked(1)[1])
    (('b',), 1)
    """

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []
        self._pending = 0
        self._dropped = np.empty(0, np.uint64)

    def add(self, values: Any) -> None:
        """Count more rows."""
        counted = _counted(values)
        self._parts.append(counted)
        self._pending += counted.num_rows
        if self._pending > _PENDING_ROWS:
            self._fold()

    def ranked(self, maximum: int) -> tuple[tuple[str, ...], NDArray[np.uint64]]:
        """The `maximum` most frequent levels, ties by name, and the hashes of the others, ascending."""
        levels = _by_frequency(self._together())
        names = tuple(levels.column("level").slice(0, maximum).to_pylist())
        return names, self._with_dropped(levels.slice(maximum))

    @property
    def distinct(self) -> int:
        """How many levels; of those that differ in spelling alone (3 and 3.0) and were kept as hashes, one."""
        return len(self._with_dropped(self._together())) if len(self._dropped) else self._together().num_rows

    def most_frequent(self, maximum: int) -> dict[str, int]:
        """Rows of the `maximum` most frequent levels, ties by name; of a level that had only its hash kept meanwhile, those since."""
        levels = _by_frequency(self._together()).slice(0, maximum)
        return dict(zip(levels.column("level").to_pylist(), levels.column("rows").to_pylist(), strict=True))

    def _fold(self) -> None:
        levels = self._together()
        if levels.num_rows > KEPT_LEVELS:
            levels = _by_frequency(levels)
            self._dropped = self._with_dropped(levels.slice(KEPT_LEVELS // 2))
            levels = levels.slice(0, KEPT_LEVELS // 2)
        # A column of very many levels is put together when it has doubled, not at every batch.
        self._parts, self._pending = [levels.combine_chunks()], -levels.num_rows

    def _together(self) -> pa.Table:
        """Each level once."""
        levels = pa.concat_tables([_LEVELS.empty_table(), *self._parts]).group_by("level", use_threads=False)
        return levels.aggregate([("rows", "sum")]).rename_columns({"level": "level", "rows_sum": "rows"})

    def _with_dropped(self, levels: pa.Table) -> NDArray[np.uint64]:
        hashes = level_hashes(spelling(one_array(levels.column("level"))))
        return np.unique(np.concatenate([hashes, self._dropped]))[:KEPT_HASHES]


def _by_frequency(levels: pa.Table) -> pa.Table:
    return levels.sort_by([("rows", "descending"), ("level", "ascending")])


def _counted(values: Any) -> pa.Table:
    """Each level of these values once, with its rows; what is missing is left out."""
    array = one_array(values)
    if pa.types.is_dictionary(array.type):
        rows = np.bincount(array.indices.drop_null().to_numpy(zero_copy_only=False), minlength=len(array.dictionary))
        text = cast_text(array.dictionary)
    else:
        found = pc.value_counts(cast_text(array))
        text, rows = found.field(0), found.field(1).to_numpy(zero_copy_only=False)
    given = pa.array((np.asarray(rows) > 0) & text.is_valid().to_numpy(zero_copy_only=False))
    return pa.table({"level": text.filter(given), "rows": pa.array(rows, pa.int64()).filter(given)})
