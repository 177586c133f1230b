"""Give a retraining's rows the features that the feature group knew at each row's time: Athena joins them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kedge.config.model import ModelConfig
from kedge.errors import FeatureGroupError, JoinFailedError
from kedge.labels.join_sql import RUN, unload_sql
from kedge.own_columns import LABEL
from kedge.retraining.feature_group import (
    FeatureGroup,
    looked_up,
    looked_up_table,
    point_in_time_sql,
    with_features,
    without_record,
)
from kedge.retraining.labelled_history import RowsOfSchema
from lambdas.adapters import clients
from lambdas.adapters.training import feature_groups
from lambdas.logs import logger


@dataclass(frozen=True)
class Athena:
    """Where Athena works: the catalogue's database for our tables, and the workgroup; and how long it may."""

    database: str
    workgroup: str
    remaining_seconds: Callable[[], float]


def point_in_time(
    rows: Sequence[RowsOfSchema],
    config: ModelConfig,
    *,
    bucket: str,
    run: str,
    athena: Athena,
) -> tuple[list[RowsOfSchema], list[str]]:
    """The rows with the group's features, and what the approver is told of rows that it knew nothing of.

    Parameters
    ----------
    run : str
        Names this attempt alone: Athena writes into empty places only.

    Raises
    ------
    FeatureGroupError
        The group cannot give this model's rows.
    """
    group = feature_groups.describe(clients.sagemaker(), config)
    wanted = looked_up([one.rows for one in rows], group)
    found = _look_up(wanted, group, config, bucket, run, athena) if wanted.num_rows else None
    labelled = sum(pc.sum(pc.is_valid(one.rows.column(LABEL))).as_py() or 0 for one in rows)
    known = found.num_rows if found is not None else 0
    logger.info("features looked up", model=config.model, group=group.name, labelled_rows=labelled, known_rows=known)
    return with_features(rows, group, found), without_record(labelled, known, group)


def _look_up(
    wanted: pa.Table,
    group: FeatureGroup,
    config: ModelConfig,
    bucket: str,
    run: str,
    athena: Athena,
) -> pa.Table | None:
    # Here, because awswrangler and pandas are only there where some model has a feature group.
    from lambdas.adapters import athena_queries

    s3, model = clients.s3(), config.model
    feature_groups.save_looked_up(s3, bucket, model, run, wanted)
    table = looked_up_table(model, feature_groups.locations(bucket, model, f"${{{RUN}}}")[0])
    athena_queries.create_table(clients.glue(), athena.database, table)
    by_event_time = config.training.trust_event_time
    select = point_in_time_sql(group, table, database=athena.database, run=run, by_event_time=by_event_time)
    try:
        athena_queries.run(
            unload_sql(select, feature_groups.locations(bucket, model, run)[1]),
            database=athena.database,
            workgroup=athena.workgroup,
            remaining_seconds=athena.remaining_seconds,
        )
    except JoinFailedError as error:
        if error.reason != "PERMISSION_DENIED":
            raise
        key = f", and {group.key} in feature_group_keys" if group.key else ""
        fault = (
            f"may not be read: name it with {group.uri} in feature_groups of the context of cdk.json{key}, and deploy"
        )
        raise FeatureGroupError(group=group.name, fault=fault) from error
    return feature_groups.load_found(s3, bucket, model, run)
