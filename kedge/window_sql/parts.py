"""The one form of all counts: rows of keys with a number of rows and up to eight sums, many SELECTs in one query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Raised with any change of what a part counts or how it is read: counts of another form are then asked for anew.
FORM = 3
SUMS = 8
_KEYS = ("i", "a", "b", "c")
_SUMS = tuple(f"s{place + 1}" for place in range(SUMS))
# Columns of every count: the part's name, keys, a text as a key, rows, and sums.
COUNTED = pa.schema(
    [
        ("part", pa.string()),
        *((name, pa.int64()) for name in _KEYS),
        ("txt", pa.string()),
        ("n", pa.int64()),
        *((name, pa.float64()) for name in _SUMS),
    ]
)
# Of a query's 262,144 bytes; UNLOAD adds few.
# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
QUERY_BYTES = 250_000
# Trino refuses a query of more than 150 stages; a SELECT here has up to seven.
# https://trino.io/docs/current/admin/properties-query-management.html
QUERY_PARTS = 20


def part(
    name: str,
    source: str,
    *,
    keys: Mapping[str, str] | None = None,
    sums: Sequence[str] = (),
    each: Mapping[int, str] | None = None,
) -> str:
    """A SELECT of counts in the columns of `COUNTED`.

    Parameters
    ----------
    source : str
        What follows FROM.
    keys : mapping of str to str
        SQL by column; rows are grouped by all that are not constants.
    sums : sequence of str
        Aggregates, `s1` first.
    each : mapping of int to str
        Columns without NULL by number. The rows are grouped by each of them, in one reading: `i` is the number, `a` the value.

    >>> part("rows", "t", keys={"a": "x"}, sums=["sum(y)"])[:86]
    "SELECT 'rows' AS part, CAST(NULL AS bigint) AS i, CAST(x AS bigint) AS a, CAST(NULL AS"
    >>> part("rows", "t", keys={"b": "x"}, each={0: "g", 1: "h"})[-47:]
    ' FROM t GROUP BY GROUPING SETS ((g, x), (h, x))'
    """
    keys = keys or {}
    # A number there would be a column's place.
    grouped = [value for value in keys.values() if not value.isdigit()]
    shown = {**keys, "i": _place(each), "a": f"coalesce({', '.join(each.values())}, NULL)"} if each else keys
    columns = [f"'{name}' AS part"]
    columns += [f"CAST({shown.get(key, 'NULL')} AS bigint) AS {key}" for key in _KEYS]
    columns += [f"CAST({shown.get('txt', 'NULL')} AS varchar) AS txt", "count(*) AS n"]
    found = dict(zip(_SUMS, sums, strict=False))
    columns += [f"CAST({found.get(name, 'NULL')} AS double) AS {name}" for name in _SUMS]
    select = f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608
    if each:
        sets = ", ".join("(" + ", ".join((column, *grouped)) + ")" for column in each.values())
        return f"{select} GROUP BY GROUPING SETS ({sets})"
    return f"{select} GROUP BY {', '.join(grouped)}" if grouped else select


def _place(columns: Mapping[int, str]) -> str:
    found = "".join(f" WHEN {column} IS NOT NULL THEN {place}" for place, column in columns.items())
    return f"CASE{found} END"


def total(condition: str, value: str = "1E0") -> str:
    """The sum of a value over the rows for which a condition is true."""
    return f"sum(CASE WHEN {condition} THEN {value} ELSE 0E0 END)"


def queries(parts: Iterable[str]) -> Iterator[str]:
    r"""The SELECTs put together into as few queries as Athena takes.

    >>> list(queries(["SELECT 1", "SELECT 2"]))
    ['SELECT 1\nUNION ALL\nSELECT 2']
    """
    together: list[str] = []
    for select in parts:
        size = sum(len(each.encode()) + 11 for each in (*together, select))
        if together and (size > QUERY_BYTES or len(together) == QUERY_PARTS):
            yield "\nUNION ALL\n".join(together)
            together = []
        together.append(select)
    if together:
        yield "\nUNION ALL\n".join(together)


class Counted:
    """What queries have counted, by part."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        """Take the tables in the columns of `COUNTED`, one after the other."""
        found: dict[str, list[pa.Table]] = {}
        for table in tables:
            for name in pc.unique(table.column("part")).to_pylist():
                found.setdefault(name, []).append(_of_part(table, name))
        self._parts = {name: pa.concat_tables(each, promote_options="default") for name, each in found.items()}

    def of(self, name: str) -> CountedPart:
        """The counts of one part; none where no row was counted."""
        return CountedPart(self._parts.get(name, COUNTED.empty_table()))


class CountedPart:
    """Counts of one part, a position for each group."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def where(self, key: str, value: int) -> CountedPart:
        """The groups where a key has this value."""
        if not len(self):
            return self
        return CountedPart(self._table.filter(pc.equal(self._table.column(key), value)))

    def key(self, name: str) -> Any:
        """A key of every group (int)."""
        return np.asarray(self._table.column(name).to_numpy(), np.int64)

    def texts(self) -> list[str]:
        """The text of every group."""
        found: list[str] = self._table.column("txt").to_pylist()
        return found

    @property
    def rows(self) -> Any:
        """Rows of every group (int)."""
        return self.key("n")

    def sums(self, place: int) -> Any:
        """A sum of every group, the first one is 1 (float); 0 where nothing was added up."""
        if f"s{place}" not in self._table.column_names:
            return np.zeros(len(self))
        return np.asarray(pc.fill_null(self._table.column(f"s{place}"), 0.0).to_numpy())

    def total(self, place: int) -> float:
        """A sum over all groups."""
        return float(self.sums(place).sum())


def _of_part(table: pa.Table, name: str) -> pa.Table:
    """One part's rows, without the columns that it has nothing in: cells of scores are many."""
    mine = table.filter(pc.equal(table.column("part"), name))
    kept = [column for column in mine.column_names if mine.column(column).null_count < mine.num_rows]
    return mine.select(kept)
