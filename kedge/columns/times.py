"""When each row happened: a column of dates, timestamps, text or epoch numbers, as microseconds of UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.arrays import Bools, Ints
from kedge.columns.casting import cast_text, is_number, plain_array

EXAMPLES_SHOWN = 3
SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a datetime can be.
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
# Epoch numbers from 1973 on show their unit by their size: seconds, milli-, micro- and nanoseconds do not overlap.
_EPOCH_UNITS = ((1e8, 1e11, 1e6), (1e11, 1e14, 1e3), (1e14, 1e17, 1.0), (1e17, 9e18, 1e-3))
_COMPACT_DATES = 19_000_101, 21_001_231  # 20160131 is a day, and as seconds it would be one in 1970
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
# As Arrow reads them; of a fraction it takes six digits.
_ZONE, _LONG_FRACTION = r"(Z|[+-]\d{2}:?\d{2})$", r"(:\d{2}\.\d{6})\d+"
_MONTH = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True)
class RowTimes:
    """A column of times as it was read.

    Attributes
    ----------
    microseconds : ndarray of int, shape (n_rows,)
        Since 1970 in UTC; 0 where it is not known.
    known, strange : ndarray of bool, shape (n_rows,)
        Rows with a time | with a value that is not a time; the others have no value.
    examples : tuple of str
        Some values that are not a time, as they are written.
    """

    microseconds: Ints
    known: Bools
    strange: Bools
    examples: tuple[str, ...] = ()


def row_times(values: Any) -> RowTimes:
    """Read a column of times; one without a zone is taken as UTC.

    Dates and timestamps of any unit; text as ISO 8601 writes it, also with a blank or slashes; numbers as seconds,
    milliseconds, microseconds or nanoseconds since 1970 (from 1973 on, by their size), or as a day such as 20160131.

    Parameters
    ----------
    values : Array or ChunkedArray

    >>> found = row_times(pa.array(["2016-01-31", "1454198400", None, "soon"]))
    >>> found.microseconds.tolist()[:2], found.known.tolist(), found.examples
    ([1454198400000000, 1454198400000000], [True, True, False, False], ('soon',))
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_temporal(array.type) and not (pa.types.is_time(array.type) or pa.types.is_duration(array.type)):
        return _moments(array)
    if pa.types.is_decimal(array.type) or (is_number(array.type) and not pa.types.is_boolean(array.type)):
        return _epochs(array)
    if not (
        pa.types.is_dictionary(array.type) or pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    ):
        nowhere, strange = np.zeros(len(array), np.int64), array.is_valid().to_numpy(zero_copy_only=False)
        return RowTimes(nowhere, nowhere > 0, strange, (f"values of type {array.type}",))
    return _words(array)


def moment(text: str) -> datetime | None:
    """One time that a person wrote; None if it is not a time.

    >>> moment("2016-01-31T12:00:00+02:00")
    datetime.datetime(2016, 1, 31, 10, 0, tzinfo=datetime.timezone.utc)
    """
    found = _microseconds(text)
    return None if found is None else at(found)


def at(microseconds: int) -> datetime:
    """The time of a number of microseconds since 1970, from year 1 to year 9999.

    >>> at(0).year, at(10**18).year
    (1970, 9999)
    """
    return _EPOCH + timedelta(microseconds=min(max(microseconds, FIRST), LAST))


def _moments(array: Any) -> RowTimes:
    there = array.is_valid().to_numpy(zero_copy_only=False)
    found = _ints(array.cast(pa.timestamp("us", getattr(array.type, "tz", None)), safe=False).cast(pa.int64()))
    known = there & (found >= FIRST) & (found <= LAST)
    strange = there & ~known
    return RowTimes(np.where(known, found, 0), known, strange, _examples(array, strange))


def _epochs(array: Any) -> RowTimes:
    exact = array if pa.types.is_integer(array.type) else array.cast(pa.float64(), safe=False)
    floats = np.array(exact.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    missing = np.isnan(floats)
    microseconds, known = epoch_microseconds(floats)
    strange = ~known & ~missing
    return RowTimes(microseconds, known, strange, _examples(array, strange))


def epoch_microseconds(numbers: NDArray[np.float64]) -> tuple[Ints, Bools]:
    """Microseconds since 1970 of epoch numbers and of days such as 20160131, and which of them could be read.

    >>> found, known = epoch_microseconds(np.array([1454198400.0, 1454198400e3, 20160131.0, 7.0]))
    >>> (found // SECOND).tolist(), known.tolist()
    ([1454198400, 1454198400, 1454198400, 0], [True, True, True, False])
    """
    found = np.zeros(len(numbers), np.int64)
    known = np.zeros(len(numbers), bool)
    size = np.abs(np.nan_to_num(numbers, posinf=0, neginf=0))
    for low, high, factor in _EPOCH_UNITS:
        inside = (size >= low) & (size < high)
        found[inside] = np.rint(numbers[inside] * factor).astype(np.int64)
        known |= inside
    compact = (size >= _COMPACT_DATES[0]) & (size <= _COMPACT_DATES[1]) & (size == np.floor(size))
    for day in np.unique(numbers[compact]).tolist():
        read = _iso(str(int(day)))
        if read is not None:
            found[numbers == day], known[numbers == day] = read, True
    return found, known


def _words(array: Any) -> RowTimes:
    encoded = pc.dictionary_encode(cast_text(plain_array(array)))
    words = encoded.dictionary
    found, read = _read_words(words)
    codes = pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)
    missing = codes == len(words)
    known = np.append(read, False)[codes]
    strange = ~known & ~missing
    return RowTimes(np.append(found, 0)[codes], known, strange, _examples(array, strange))


def _read_words(words: Any) -> tuple[Ints, Bools]:
    """Each different text: all at once if Arrow reads them all, else one by one."""
    text = pc.replace_substring_regex(pc.utf8_trim_whitespace(words), _LONG_FRACTION, r"\1")
    zoned, nothing = pc.match_substring_regex(text, _ZONE), pa.scalar(None, pa.string())
    try:
        with_zone = pc.if_else(zoned, text, nothing).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        without = pc.if_else(zoned, nothing, text).cast(pa.timestamp("us")).cast(pa.int64())
        return _ints(pc.coalesce(with_zone, without)), np.ones(len(words), bool)
    except pa.ArrowInvalid:
        each = [_microseconds(word) for word in text.to_pylist()]
        found = np.array([0 if one is None else one for one in each], np.int64)
        return found, np.array([one is not None for one in each], bool)


def _microseconds(word: str) -> int | None:
    text = word.strip()
    if _NUMBER.fullmatch(text):
        found, known = epoch_microseconds(np.array([float(text)]))
        return int(found[0]) if known[0] else None
    return _iso(f"{text}-01" if _MONTH.fullmatch(text) else text.replace("/", "-"))


def _iso(text: str) -> int | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    since = (read if read.tzinfo else read.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def _ints(array: Any) -> Ints:
    return np.array(pc.fill_null(array, 0).to_numpy(zero_copy_only=False), np.int64)


def _examples(array: Any, strange: Bools) -> tuple[str, ...]:
    if not strange.any():
        return ()
    rows = np.flatnonzero(strange)[: EXAMPLES_SHOWN * 100]
    found = plain_array(array.take(pa.array(rows))).cast(pa.string()).to_pylist()
    return tuple(sorted(set(found))[:EXAMPLES_SHOWN])
