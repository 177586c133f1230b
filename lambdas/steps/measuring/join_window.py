"""The answers of a window beside what is known of their labels: joined in memory, or joined and counted by Athena."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kedge.config.model import ModelConfig
from kedge.labels.join import join_labels
from kedge.labels.join_sql import RUN
from kedge.own_columns import ROW_ID, TIME, VARIANT
from kedge.window_sql.joined import JoinedRows
from kedge.window_sql.parts import COUNTED, FORM, Counted
from kedge.window_sql.plan import WindowPlan
from lambdas.adapters import athena_joins, clients
from lambdas.adapters.bucket import baselines, days, label_days, layout, predictions
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state.champions import Champion
from lambdas.steps.requests import JudgeRequest


def is_large(request: JudgeRequest, bucket: str, config: ModelConfig, champion: Champion, start: datetime) -> bool:
    """Whether the window is too large for one function's memory."""
    size = athena_joins.window_bytes(
        clients.s3(),
        bucket,
        model=config.model,
        package_version=champion.package_version,
        start=start,
        end=request.window.end,
    )
    return size >= config.labels.athena_from_bytes


def joined_at(request: JudgeRequest, bucket: str, config: ModelConfig, champion: Champion) -> str | None:
    """Where Athena's counts of this window stand; None too where the champion or the YAML has changed since."""
    prefix = request.joined_prefix
    return prefix if prefix and athena_joins.is_of(prefix, question(bucket, config, champion)) else None


def question(bucket: str, config: ModelConfig, champion: Champion) -> str:
    """What Athena is asked of a window, as a name: the package, and a digest of all else that its counts depend on."""
    content = f"{FORM}{config.model_dump_json()}{champion.training_end}{classes_now(config, bucket)}"
    return f"{champion.package_version}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def plan_of(
    request: JudgeRequest, config: ModelConfig, champion: Champion, *, bucket: str, run: str = "", database: str = ""
) -> WindowPlan:
    """What Athena is asked of a window; asked again, the same.

    Parameters
    ----------
    run, database : str
        Of the join that Athena counts; who reads the counts needs neither.
    """
    s3, columns = clients.s3(), tuple(measured_columns(config))
    place = (bucket, config.model, f"${{{RUN}}}")
    locations = athena_joins.joined_location(*place), athena_joins.levels_location(*place)
    rows = JoinedRows(config, columns, database, run, *locations, request.time)
    reference = baselines.load_reference(s3, bucket, config.model, champion.baseline)
    slices = baselines.load_slices(s3, bucket, config.model, champion.baseline)
    return WindowPlan(
        rows,
        request.window.start,
        request.window.end,
        estimator=reference.estimator if reference else None,
        slices=slices.shown_as(config.hidden) if slices else None,
        mark_key=reference.digest if reference else "",
        classes=classes_now(config, bucket),
        remembered_days=request.remembered_days,
        learnt_until=champion.training_end,
    )


def counted_at(prefix: str, *, bucket: str) -> Counted:
    """What Athena has counted at a place."""
    s3 = clients.s3()
    return Counted(athena_joins.load_counts(s3, bucket, athena_joins.counted(s3, bucket, prefix), COUNTED))


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


def classes_now(config: ModelConfig, bucket: str) -> tuple[str, ...]:
    """The YAML's present classes: the package may have been released with others."""
    return () if config.problem == "regression" else load_model(config.model, bucket).labels.classes


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
