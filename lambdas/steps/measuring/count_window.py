"""Have Athena count a window: its answers joined with their labels, then one question after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from kedge.labels.join_sql import unload_sql
from kedge.window_sql.parts import COUNTED, Counted, queries
from kedge.window_sql.plan import WindowPlan
from lambdas.adapters import athena_joins, athena_queries, clients


@dataclass(frozen=True)
class CountingDesk:
    """One attempt's place at Athena.

    Attributes
    ----------
    bucket, prefix : str
        Where the attempt writes; nothing lies below it before.
    database, workgroup : str
    remaining_seconds : callable
        How long a query may be waited for.
    """

    bucket: str
    prefix: str
    database: str
    workgroup: str
    remaining_seconds: Callable[[], float]

    def unload(self, select: str, below: str) -> None:
        """Write the rows of a SELECT."""
        athena_queries.run(
            unload_sql(select, f"s3://{self.bucket}/{self.prefix}{below}"),
            database=self.database,
            workgroup=self.workgroup,
            remaining_seconds=self.remaining_seconds,
        )


def count_window(plan: WindowPlan, join: str, desk: CountingDesk) -> None:
    """Join the rows, and count them; where there are none, nothing is counted."""
    s3, counted = clients.s3(), list[pa.Table]()
    desk.unload(plan.rows.select(join), athena_joins.JOINED)
    if not athena_joins.save_joined_list(s3, desk.bucket, desk.prefix):
        return
    athena_queries.create_table(clients.glue(), desk.database, plan.rows.table)
    for step, questions in enumerate(plan.questions):
        for number, query in enumerate(queries(questions(Counted(counted)))):
            below = f"{athena_joins.COUNTS}{step}-{number}/"
            desk.unload(query, below)
            counted += athena_joins.load_counts(s3, desk.bucket, desk.prefix + below, COUNTED)
