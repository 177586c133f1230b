"""Have Athena count a window: its answers joined with their labels, then one question after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from kedge.errors import CountTooLongError, QueryTooLongError
from kedge.labels.join_sql import unload_sql
from kedge.window_sql.parts import COUNTED, Counted, queries
from kedge.window_sql.plan import WindowPlan
from lambdas.adapters import athena_joins, athena_queries, clients


@dataclass(frozen=True)
class CountingDesk:
    """One attempt's desk at Athena, at the place of all attempts of a message.

    Attributes
    ----------
    bucket, prefix : str
        The place.
    attempt : str
        Names this attempt alone: Athena writes into empty folders only, and what an attempt has left half-written is read by nobody.
    database, workgroup : str
    remaining_seconds : callable
        How long a query may be waited for.
    """

    bucket: str
    prefix: str
    attempt: str
    database: str
    workgroup: str
    remaining_seconds: Callable[[], float]

    def unload(self, select: str, below: str, listed: str) -> list[str]:
        """Have the rows of a SELECT written, unless an earlier attempt has; return the keys of their objects."""
        s3, done = clients.s3(), self.prefix + listed
        known = athena_joins.load_list(s3, self.bucket, done)
        if known is not None:
            return known
        own = f"{self.prefix}{below}{self.attempt}/"
        try:
            athena_queries.run(
                unload_sql(select, f"s3://{self.bucket}/{own}"),
                database=self.database,
                workgroup=self.workgroup,
                remaining_seconds=self.remaining_seconds,
            )
        except QueryTooLongError as error:
            raise CountTooLongError(found_bytes=error.found_bytes, bytes_max=error.bytes_max) from error
        return athena_joins.keep_list(s3, self.bucket, done, athena_joins.written(s3, self.bucket, own))


def count_window(plan: WindowPlan, join: str, desk: CountingDesk) -> None:
    """Join the rows, and count them; where there are none, nothing is counted. What an earlier attempt has finished is not paid again."""
    s3, counted = clients.s3(), list[pa.Table]()
    if not desk.unload(plan.rows.select(join), athena_joins.JOINED, athena_joins.ROWS):
        return
    for table in (plan.rows.table, plan.rows.levels):
        athena_queries.create_table(clients.glue(), desk.database, table)
    for step, questions in enumerate(plan.questions):
        if step == 1:
            # The first answers know the levels of sensitive columns.
            athena_joins.save_levels(s3, desk.bucket, desk.prefix, plan.levels(Counted(counted)))
        for number, query in enumerate(queries(questions(Counted(counted)))):
            step_of = f"{step}-{number}/"
            keys = desk.unload(query, athena_joins.COUNTS + step_of, athena_joins.COUNTED + step_of)
            counted += athena_joins.load_counts(s3, desk.bucket, keys, COUNTED)
