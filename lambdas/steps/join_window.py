"""The answers of a window beside what is known of their labels, joined in memory or by Athena."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kedge.config.model import ModelConfig
from kedge.labels.join import join_labels
from kedge.own_columns import ROW_ID, TIME, VARIANT
from lambdas.adapters import athena_joins, clients
from lambdas.adapters.bucket import days, label_days, layout, predictions
from lambdas.adapters.state.champions import Champion
from lambdas.steps.requests import JudgeRequest


def needs_athena(request: JudgeRequest, bucket: str, config: ModelConfig, champion: Champion, start: datetime) -> bool:
    """Whether the window is too large for one function's memory and Athena has not joined it yet."""
    if joined_at(request, champion) is not None:
        return False
    size = athena_joins.window_bytes(
        clients.s3(),
        bucket,
        model=config.model,
        package_version=champion.package_version,
        start=start,
        end=request.window.end,
    )
    return size >= config.labels.athena_from_bytes


def joined_at(request: JudgeRequest, champion: Champion) -> str | None:
    """Where Athena's join of this champion's answers stands; another may have become champion since the request."""
    prefix = request.joined_prefix
    return prefix if prefix is not None and athena_joins.package_of(prefix) == champion.package_version else None


def joined_rows(
    request: JudgeRequest, bucket: str, config: ModelConfig, champion: Champion, start: datetime
) -> pa.Table | None:
    """The champion's answers since `start` joined with the labels that were folded; None where nothing was answered."""
    s3, end = clients.s3(), request.window.end
    if (prefix := joined_at(request, champion)) is not None:
        found = athena_joins.load_joined(s3, bucket, prefix)
        return found.filter(_inside(found, start, end)) if found.num_rows else None
    return joined_in_memory(s3, bucket, config, champion, start, end)


def joined_in_memory(
    s3: Any, bucket: str, config: ModelConfig, champion: Champion, start: datetime, end: datetime
) -> pa.Table | None:
    """The same rows as Athena's, joined here."""
    first, last = start.date(), (end - timedelta(microseconds=1)).date()
    prefix = layout.profile_days_prefix(config.model, champion.package_version, champion.baseline)
    parts = days.parts_of_package(s3, bucket, prefix, first=first, last=last)
    answered = predictions.load_parts(s3, bucket, parts, [ROW_ID, TIME, *measured_columns(config)])
    if answered is None:
        return None
    for name in config.context:
        # What was counted before the YAML named it.
        if name in measured_columns(config) and name not in answered.column_names:
            answered = answered.append_column(name, pa.nulls(len(answered), pa.string()))
    fields = config.labels.fields
    labels = label_days.load_days(s3, bucket, config.model, first=first, last=last, fields=fields)
    return join_labels(answered.filter(_inside(answered, start, end)), labels, fields)


def _inside(rows: pa.Table, start: datetime, end: datetime) -> pa.ChunkedArray:
    times = rows.column(TIME)
    return pc.and_(pc.greater_equal(times, pa.scalar(start, times.type)), pc.less(times, pa.scalar(end, times.type)))


def measured_columns(config: ModelConfig) -> list[str]:
    """The columns of the predictions table that quality is measured from, and sliced by."""
    named = {config.performance.cost_column, *config.fairness.columns, *config.business_columns}
    sliced = config.segments.columns or [feature.name for feature in config.features if feature.watched]
    context = (name for name in config.context if config.segments.columns is None or name in named or name in sliced)
    return [
        *config.answer_columns,
        *([VARIANT] if config.endpoint.variants else []),
        *(name for name in config.feature_names if name in named or name in sliced),
        *context,
    ]
