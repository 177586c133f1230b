"""Points in time, and how old they are at the time of their row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.columns import MISSING_WORDS, Column, Numbers, is_number, plain_array, text_array

# The name of a column with each row's time, or the newest value of each column; None: of the rows at hand.
RowTimes = str | Mapping[str, datetime] | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_PER_DAY = 86_400e6
# A number is seconds, milliseconds, microseconds or nanoseconds since 1970, by its size.
_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (np.inf, 1e-3))
_ZONE = r"(Z|[+-]\d{2}:?\d{2})$"
_LONG_FRACTION = r"(\.\d{6})\d+"


def ages_in_days(table: pa.Table, column: Column, times: RowTimes) -> Numbers:
    """How many days before its row's time each value lies; negative where it lies ahead.

    Parameters
    ----------
    table : Table
    column : Column
        A timestamp: of Arrow's types, ISO 8601 text (UTC where it names no zone), or a number since 1970.
    times : str, mapping or None
        The name of the column with each row's time; or the newest value of each timestamp column; or None, where the
        newest value in `table` stands for both.

    >>> rows = pa.table({"bought": ["2016-01-01", "2015-12-31T12:00:00Z", "", "?"]})
    >>> found = ages_in_days(rows, Column("bought", "feature", "timestamp", "float64"), None)
    >>> found.values.tolist(), found.missing.tolist(), found.unparsable.tolist()
    ([0.0, 0.5, nan, nan], [False, False, True, False], [False, False, False, True])
    """
    instants, unparsable = _instants(table.column(column.name))
    if isinstance(times, str):
        at: Any = _instants(table.column(times))[0]
    elif times is not None:
        at = (times[column.name] - _EPOCH) / timedelta(microseconds=1) if column.name in times else np.nan
    else:
        at = np.nanmax(instants) if (~np.isnan(instants)).any() else np.nan
    days = (at - instants) / _MICROSECONDS_PER_DAY
    return Numbers(days, unparsable)


def newest_times(columns: Sequence[Column], tables: Iterable[Any]) -> dict[str, datetime]:
    """The newest value of each timestamp column, for files that say nothing of their rows' times.

    >>> rows = pa.table({"bought": ["2016-01-01", "2015-12-31T12:00:00Z"]})
    >>> newest_times((Column("bought", "feature", "timestamp", "float64"),), [rows])
    {'bought': datetime.datetime(2016, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)}
    """
    names = [column.name for column in columns if column.kind == "timestamp"]
    found = dict.fromkeys(names, -np.inf)
    for table in tables if names else ():
        for name in names:
            instants, _ = _instants(table.column(name))
            found[name] = max(found[name], np.nanmax(instants, initial=-np.inf))
    return {name: _EPOCH + timedelta(microseconds=value) for name, value in found.items() if value > -np.inf}


def as_timestamps(values: Any) -> Any:
    """Values as Arrow's timestamps in UTC; what cannot be read becomes null.

    >>> as_timestamps(pa.array(["2016-01-01", "?"])).cast(pa.string()).to_pylist()
    ['2016-01-01 00:00:00.000000Z', None]
    """
    instants, _ = _instants(values)
    absent = np.isnan(instants)
    return pa.array(np.where(absent, 0, instants).astype(np.int64), pa.timestamp("us", "UTC"), mask=absent)


def _instants(values: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Microseconds since 1970, NaN where there are none, and which of those are not words for "no value"."""
    array = plain_array(values)
    if pa.types.is_temporal(array.type):
        return _microseconds(array.cast(pa.timestamp("us"), safe=False)), np.zeros(len(array), bool)
    if is_number(array.type):
        return _since_1970(np.asarray(array.cast(pa.float64(), safe=False))), np.zeros(len(array), bool)
    coded = text_array(array).dictionary_encode()
    words = _read_words(coded.dictionary)
    given = np.array([word not in MISSING_WORDS for word in coded.dictionary.to_pylist()] + [False])
    codes = coded.indices.cast(pa.int64()).fill_null(len(words)).to_numpy(zero_copy_only=False)
    instants = np.append(words, np.nan)[codes]
    return instants, np.isnan(instants) & given[codes]


def _read_words(text: Any) -> NDArray[np.float64]:
    text = pc.replace_substring_regex(pc.utf8_trim_whitespace(text), _LONG_FRACTION, r"\1")
    zoned = pc.match_substring_regex(text, _ZONE)
    nothing = pa.scalar(None, pa.string())
    try:
        with_zone = _microseconds(pc.if_else(zoned, text, nothing).cast(pa.timestamp("us", "UTC")))
        without = _microseconds(pc.if_else(zoned, nothing, text).cast(pa.timestamp("us")))
    except pa.ArrowInvalid:
        return np.array([_read_word(word) for word in text.to_pylist()], np.float64)
    return np.where(np.isnan(with_zone), without, with_zone)


def _read_word(word: str) -> float:
    try:
        if re.fullmatch(r"[+-]?\d{9,}(\.\d*)?", word, re.ASCII):
            return float(_since_1970(np.array([float(word)]))[0])
        moment = datetime.fromisoformat(word)
    except ValueError:
        return np.nan
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) / timedelta(microseconds=1)


def _since_1970(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    limits, factors = (np.array(part) for part in zip(*_UNITS, strict=True))
    return np.asarray(np.trunc(numbers * factors[np.searchsorted(limits, np.nan_to_num(np.abs(numbers)))]))


def _microseconds(array: Any) -> NDArray[np.float64]:
    found = np.array(array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), np.float64)
    found[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return found
