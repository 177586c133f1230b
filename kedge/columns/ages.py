"""Points in time, and how old they are at the time of their row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.columns.casting import Column, Numbers
from kedge.columns.times import row_times

# The name of a column with each row's time, or the newest value of each column; None: of the rows at hand.
RowTimes = str | Mapping[str, datetime] | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_PER_DAY = 86_400e6


def ages_in_days(table: pa.Table, column: Column, times: RowTimes) -> Numbers:
    """How many days before its row's time each value lies; negative where it lies ahead.

    Parameters
    ----------
    table : Table
    column : Column
        A timestamp, as `kedge.columns.times` reads it: of Arrow's types, ISO 8601 text (UTC where it names no zone), or a number
        since 1970.
    times : str, mapping or None
        The name of the column with each row's time; or the newest value of each timestamp column; or None, then the
        newest value in `table` is used for both.

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
    """The newest value of each timestamp column, for files without their rows' times.

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
    """Values as Arrow's timestamps in UTC; unreadable values become null.

    >>> as_timestamps(pa.array(["2016-01-01", "?"])).cast(pa.string()).to_pylist()
    ['2016-01-01 00:00:00.000000Z', None]
    """
    instants, _ = _instants(values)
    absent = np.isnan(instants)
    return pa.array(np.where(absent, 0, instants).astype(np.int64), pa.timestamp("us", "UTC"), mask=absent)


def _instants(values: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Microseconds since 1970 (NaN without one), and which of the others are not words for "no value"."""
    found = row_times(values)
    return np.where(found.known, found.microseconds, np.nan), found.strange
