"""Labels of rows that are not counted, because only a sample of the rows is: they are not looked for, and not missed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa

from kedge.arrays import Bools
from kedge.capture.id_hashes import hash_ids, in_sample
from kedge.instants import to_text
from kedge.labels.fold import HINT
from kedge.labels.search import LATE_DAYS
from kedge.own_columns import ROW_ID

# A change of the YAML is noted when labels are folded next, while rows are counted by it from the next hour on: of a model that is
# judged weekly, for up to a week before.
NOTED_WITHIN = timedelta(days=8)
# Sorts behind every time.
_EVER = "9999"


def may_be_counted(labels: pa.Table, counted: Mapping[str, int], now: datetime, *, limit_days: int) -> Bools:
    """Which labels may have a row that was counted, whatever was in effect when it was.

    Parameters
    ----------
    labels : Table
        As `waiting_labels` gives them.
    counted : mapping of str to int
        Percentages of the rows that are counted, by the time since when (`with_percentage`); none where all are.
    limit_days : int
        How long ago the row of a label that says no day may have been answered.
    """
    if not counted:
        return np.ones(labels.num_rows, bool)
    _, largest = percentages_between(counted, now - timedelta(days=limit_days), now)
    found = np.full(labels.num_rows, largest, np.int64)
    days = labels.column(HINT).combine_chunks().dictionary_encode()
    codes = days.indices.fill_null(len(days.dictionary)).to_numpy()
    for code, day in enumerate(days.dictionary.to_pylist()):
        midnight = datetime.combine(day, time(), UTC)
        # A day gains rows for a while.
        found[codes == code] = percentages_between(counted, midnight, midnight + timedelta(days=LATE_DAYS + 1))[1]
    return in_sample(hash_ids(labels.column(ROW_ID)), found)


def surely_counted(labels: pa.Table, counted: Mapping[str, int], now: datetime, *, limit_days: int) -> Bools:
    """Which labels would have a counted row, if it was answered at all: of others nobody misses the row."""
    if not counted:
        return np.ones(labels.num_rows, bool)
    smallest, _ = percentages_between(counted, now - timedelta(days=limit_days), now)
    return in_sample(hash_ids(labels.column(ROW_ID)), smallest)


def with_percentage(known: Mapping[str, int], percentage: int, now: datetime, *, keep_days: int) -> dict[str, int]:
    """The percentages in effect, by the time since when each was; those that ended more than `keep_days` ago are forgotten.

    Where nothing is known all rows were counted, and as long as they are nothing is noted.

    >>> from datetime import UTC
    >>> found = with_percentage({}, 10, datetime(2016, 3, 1, tzinfo=UTC), keep_days=30)
    >>> found, with_percentage(found, 10, datetime(2016, 4, 1, tzinfo=UTC), keep_days=30)
    ({'': 100, '2016-03-01T00:00:00Z': 10}, {'2016-03-01T00:00:00Z': 10})
    """
    found = dict(sorted((known or {"": 100}).items()))
    if [*found.values()][-1] != percentage:
        found[to_text(now)] = percentage
    oldest = to_text(now - timedelta(days=keep_days))
    found = {since: found[since] for since, until in pairwise([*found, _EVER]) if until > oldest}
    return {} if {*found.values()} == {100} else found


def percentages_between(known: Mapping[str, int], first: datetime, last: datetime) -> tuple[int, int]:
    """The smallest and the largest percentage that may have been in effect from `first` to `last`; each may have been for
    `NOTED_WITHIN` before it was noted, and the oldest that is known holds for what was before it.

    >>> from datetime import UTC
    >>> known, day = {"": 100, "2016-03-01T00:00:00Z": 10}, datetime(2016, 2, 1, tzinfo=UTC)
    >>> percentages_between(known, day, day + timedelta(days=9)), percentages_between(known, day, day + timedelta(days=39))
    ((100, 100), (10, 100))
    """
    begun = dict(sorted(known.items())) or {"": 100}
    oldest, start, end = min(begun), to_text(first), to_text(last + NOTED_WITHIN)
    inside = [
        begun[since]
        for since, until in pairwise([*begun, _EVER])
        if until > start and (since <= end or since == oldest)
    ]
    return min(inside), max(inside)
