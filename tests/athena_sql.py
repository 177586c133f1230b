"""Athena's SQL run over tables by DuckDB, for tests without an account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa
import sqlglot

from kedge.labels.join_sql import RUN
from kedge.window_sql.joined import LEVELS
from kedge.window_sql.parts import COUNTED, Counted, queries
from kedge.window_sql.plan import WindowPlan
from lambdas.adapters.athena_queries import SQL_BYTES_MAX
from offline.athena.queries import TRINO_FUNCTIONS


def run_sql(select: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """The rows of a SELECT in Athena's dialect over tables by name, times by the millisecond and without a zone."""
    parsed = sqlglot.parse_one(select, read="athena")
    with duckdb.connect(config={"threads": 1}) as connection:
        for macro in TRINO_FUNCTIONS:
            connection.execute(macro)
        for name, rows in tables.items():
            connection.register(name, _as_athena_reads(rows))
        for table in parsed.find_all(sqlglot.exp.Table):
            table.set("db", None)
        return connection.execute(parsed.sql("duckdb")).fetch_arrow_table()


def count_plan(plan: WindowPlan, joined: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """What each query of a plan counts of the joined rows, as `count_window` has Athena count it, by the query's name."""
    counted: list[pa.Table] = []
    levels = LEVELS.empty_table()
    for step, questions in enumerate(plan.questions):
        if step == 1:
            levels = plan.levels(Counted(counted))
        tables = {
            plan.rows.table.name: joined,
            plan.rows.levels.name: levels.append_column(RUN, [[plan.rows.run] * len(levels)]),
        }
        for number, query in enumerate(queries(questions(Counted(counted)))):
            assert len(query.encode()) < SQL_BYTES_MAX
            found = run_sql(query, tables)
            assert found.column_names == COUNTED.names
            counted.append(found.cast(COUNTED))
            yield f"{step}-{number}", counted[-1]


def _as_athena_reads(rows: pa.Table) -> pa.Table:
    kinds = [pa.timestamp("ms") if pa.types.is_timestamp(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema(list(zip(rows.column_names, kinds, strict=True))), safe=False)
