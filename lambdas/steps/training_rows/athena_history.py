"""Have Athena count a retraining's rows, decide by the counts which are wanted, and have it fetch those."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.labels.join_sql import RUN, answers_table, labels_table, unload_sql
from kedge.own_columns import TIME
from kedge.retraining.history_sql import BY_HOUR, BY_TIME, AnswersOfSchema, HistoryQueries
from kedge.retraining.labelled_history import LabelledHistory, RowsOfSchema
from kedge.retraining.population import (
    Population,
    RowCounts,
    boundary_hour,
    counts_of,
    microseconds,
    split_population,
    together,
)
from kedge.retraining.rows import moments
from kedge.retraining.selection import holdout_rows, pools
from kedge.retraining.snapshot import Slice
from lambdas.adapters import athena_joins, clients
from lambdas.adapters.bucket import label_days
from lambdas.adapters.bucket.answered_rows import answered_parts
from lambdas.steps.point_in_time import Athena
from lambdas.steps.retraining_run import RetrainingRun


@dataclass(frozen=True)
class SelectedRows:
    """What Athena has selected of everything that was answered, and what it has counted.

    Attributes
    ----------
    rows : tuple of RowsOfSchema
        Labelled, in the slice; those that the selection by `population` may want.
    parts : tuple of str
        The objects with all rows.
    population : Population
    too_old : int
        Labelled rows from before the slice.
    labelled_fraction : float or None
    first : datetime or None
        Time of the first answer.
    """

    rows: tuple[RowsOfSchema, ...]
    parts: tuple[str, ...]
    population: Population
    too_old: int
    labelled_fraction: float | None
    first: datetime | None

    def before(self, rows: pa.Table) -> pa.Table:
        """The user's first rows that are older than every answer."""
        return _before(rows, moments(rows.column(TIME)), self.first)


@dataclass(frozen=True)
class _Desk:
    """One attempt's place at Athena."""

    run: RetrainingRun
    athena: Athena
    attempt: str

    def ask(self, select: str, name: str, schema: pa.Schema) -> pa.Table:
        """The rows of a SELECT."""
        # Here, because pandas takes a second to import, and most retrainings are small.
        from lambdas.adapters import athena_queries

        s3, bucket = clients.s3(), self.run.bucket
        below = athena_joins.prefix_of(self.run.model, f"{self.attempt}-{name}") + athena_joins.JOINED
        athena_queries.run(
            unload_sql(select, f"s3://{bucket}/{below}"),
            database=self.athena.database,
            workgroup=self.athena.workgroup,
            remaining_seconds=self.athena.remaining_seconds,
        )
        return athena_joins.load_unloaded(s3, bucket, athena_joins.written(s3, bucket, below), schema)


def select_on_athena(
    run: RetrainingRun,
    own: LabelledHistory,
    learnt_until: datetime | None,
    *,
    athena: Athena,
    attempt: str,
) -> SelectedRows | None:
    """Count the rows by hour and class, find the moment of the split, and fetch the rows that are wanted; None where nothing was answered.

    Parameters
    ----------
    own : LabelledHistory
        The user's first rows alone: those that are older than every answer count too.
    attempt : str
        Names this attempt alone: Athena writes into empty places only.
    """
    desk, config = _Desk(run, athena, attempt), run.config
    queries, parts = _queries(desk, own.usable)
    if not parts:
        return None
    hours = desk.ask(queries.by_hour(), "hours", BY_HOUR)
    first = pc.min(hours.column("first")).as_py()
    first = first.replace(tzinfo=UTC) if first else None
    of_user = counts_of(_before(own.rows, own.rows.column(TIME), first), config)
    labelled, inside = pc.greater_equal(hours.column("code"), 0), hours.column("inside")
    by_hour = together([_counts(hours.filter(pc.and_(labelled, inside))), of_user])
    how: dict[str, Any] = {"holdout_fraction": config.training.holdout_fraction, "learnt_until": learnt_until}
    hour = boundary_hour(by_hour, **how)
    within = of_user.only(of_user.hours == (microseconds(hour) if hour else 0))
    if hour is not None:
        within = together([_counts(desk.ask(queries.by_time(hour), "hour", BY_TIME)), within])
    population = split_population(by_hour, within, hour, **how)
    wanted = queries.wanted(population, pools(population, config), holdout_rows(population, config))
    found = desk.ask(wanted, "rows", queries.schema)
    rows = [RowsOfSchema(queries.of_schema(found, place), one.answered) for place, one in enumerate(queries.schemas)]
    ripe = pc.sum(hours.filter(inside).column("rows")).as_py() or 0
    return SelectedRows(
        tuple(rows),
        parts,
        population,
        too_old=pc.sum(hours.filter(pc.and_(labelled, pc.invert(inside))).column("rows")).as_py() or 0,
        labelled_fraction=(int(by_hour.rows.sum()) - len(of_user.rows)) / ripe if ripe else None,
        first=first,
    )


def _before(rows: pa.Table, times: pa.ChunkedArray, first: datetime | None) -> pa.Table:
    return rows if first is None else rows.filter(pc.less(times, pa.scalar(first, times.type)))


def _counts(found: pa.Table) -> RowCounts:
    columns = (found.column("time").cast(pa.int64()), found.column("code"), found.column("rows"))
    return RowCounts(*(np.asarray(column.to_numpy(), np.int64) for column in columns))


def _queries(desk: _Desk, usable: Slice) -> tuple[HistoryQueries, tuple[str, ...]]:
    """Tell Athena which objects there are, and describe them to the catalogue."""
    from lambdas.adapters import athena_queries

    s3, run, config = clients.s3(), desk.run, desk.run.config
    first, last = config.training.reaches_to(run.time).date(), run.time.date()
    answers_at, labels_at = athena_joins.locations(run.bucket, run.model, f"${{{RUN}}}")
    schemas, parts = list[AnswersOfSchema](), list[str]()
    looked_up_by = config.context if config.training.feature_group is not None else ()
    for place, (answered, of_it) in enumerate(answered_parts(s3, run.bucket, config, first=first, last=last)):
        columns = (*answered.feature_names, *(name for name in looked_up_by if name not in answered.feature_names))
        attempt = f"{desk.attempt}-{place}"
        athena_joins.save_list(s3, run.bucket, athena_joins.prefix_of(run.model, attempt), answers=of_it)
        table = answers_table(answered, columns, location=answers_at)
        schemas.append(AnswersOfSchema(answered, table, attempt, columns))
        parts += of_it
    labels = label_days.day_keys(s3, run.bucket, run.model, first=first, last=last)
    athena_joins.save_list(s3, run.bucket, athena_joins.prefix_of(run.model, desk.attempt), labels=labels)
    described = labels_table(config, location=labels_at)
    for table in (*(one.table for one in schemas), described):
        athena_queries.create_table(clients.glue(), desk.athena.database, table)
    queries = HistoryQueries(config, tuple(schemas), described, desk.attempt, desk.athena.database, usable, run.time)
    return queries, tuple(parts)
