"""What a query scans, as Athena counts and bills it: the compressed chunks of the columns that its plan reads.

The real service reads of a Parquet file the chunks of the columns that a scan needs, once for each mention of a table, and bills
these bytes (https://aws.amazon.com/athena/pricing/). Imitated: DuckDB plans the query, and its scans say their columns. Not imitated:
footers, and row groups that a file's statistics rule out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from offline.athena.tables import TableRows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMN = re.compile(r"\bt(\d+)c(\d+)\b")


class Scans:
    """Tables that DuckDB knows, and what their columns weigh."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._sizes: list[list[int]] = []

    def register(self, found: TableRows) -> str:
        """Make a table known, and return its name. A scan does not tell whose its columns are, so each has a name of its own below a view."""
        place, names = len(self._sizes), found.rows.column_names
        own = [f"t{place}c{number}" for number in range(len(names))]
        self._connection.register(f"rows_{place}", found.rows.rename_columns(own))
        quoted = ['"' + name.replace('"', '""') + '"' for name in names]
        columns = ", ".join(f"{column} AS {name}" for column, name in zip(own, quoted, strict=True))
        self._connection.execute(f"CREATE TEMP VIEW table_{place} AS SELECT {columns} FROM rows_{place}")  # noqa: S608 - quoted
        self._sizes.append([found.chunk_bytes.get(name, 0) for name in names])
        return f"table_{place}"

    def bytes_of(self, sql: str) -> int:
        """How many bytes a query scans."""
        ((_, plan),) = self._connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
        return sum(
            self._sizes[int(place)][int(number)]
            for scan in _scans(json.loads(plan))
            for place, number in set(_COLUMN.findall(json.dumps(scan["extra_info"])))
        )


def _scans(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        if node["name"].strip() == "ARROW_SCAN":
            yield node
        yield from _scans(node["children"])
