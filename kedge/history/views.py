"""The views over the history: their SQL, and the form in which the Glue catalogue keeps a view for Athena."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence

from kedge.history.tables import MONTH, WRITTEN_AT, HistoryTable

DATABASE = "kedge_history"
# The tables hold all that was written; the views, which people query, the rows that count.
WRITTEN = "_written"
# Trino's types and Hive's for a column's kind: a view needs both, in the same order.
TRINO = {"text": "varchar", "number": "double", "count": "bigint", "time": "timestamp(3)", "flag": "boolean"}
HIVE = {"text": "string", "number": "double", "count": "bigint", "time": "timestamp", "flag": "boolean"}
_HIVE_OF_TRINO = {TRINO[kind]: HIVE[kind] for kind in TRINO}


def quoted(names: Iterable[str]) -> str:
    """Names as SQL writes them.

    >>> quoted(["rows", "limit"])
    '"rows", "limit"'
    """
    return ", ".join(f'"{name}"' for name in names)


def newest_sql(table: HistoryTable, source: str | None = None, *, database: str = DATABASE) -> str:
    """The rows of a table that count: of each object what was written of it last, and each row once.

    Parameters
    ----------
    source : str, optional
        What SQL calls the table; by default its name in the catalogue.
    """
    shown = quoted([*(column.name for column in table.columns), MONTH])
    source = source or f'"{database}"."{table.name}{WRITTEN}"'
    return (
        f"SELECT {shown}\n"  # noqa: S608
        "FROM (\n"
        "  SELECT *,\n"
        f'    row_number() OVER (PARTITION BY {quoted(table.key)} ORDER BY "{WRITTEN_AT}" DESC) AS place,\n'
        f'    max("{WRITTEN_AT}") OVER (PARTITION BY {quoted(table.identity)}) AS newest\n'
        f"  FROM {source}\n"
        f') AS written WHERE place = 1 AND "{WRITTEN_AT}" = newest'
    )


def columns_of_view(table: HistoryTable) -> tuple[tuple[str, str], ...]:
    """A view's columns with Trino's types."""
    return (*((column.name, TRINO[column.kind]) for column in table.columns), (MONTH, "varchar"))


def hive_types(columns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same columns with Hive's types.

    >>> hive_types([("time", "timestamp(3)"), ("model", "varchar")])
    [('time', 'timestamp'), ('model', 'string')]
    """
    return [(name, _HIVE_OF_TRINO[kind]) for name, kind in columns]


def presto_view(sql: str, columns: Sequence[tuple[str, str]], *, database: str = DATABASE) -> str:
    """What Athena keeps as a view's original text.

    >>> presto_view("SELECT 1 AS n", [("n", "bigint")])[:17]
    '/* Presto View: e'
    """
    described = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": name, "type": kind} for name, kind in columns],
        "owner": "kedge",
        "runAsInvoker": False,
        "properties": {},
    }
    return f"/* Presto View: {base64.b64encode(json.dumps(described).encode()).decode()} */"
