"""The rows that a retraining may use: answered, labelled, and old enough for the label to be believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.label_join import seconds_of
from kedge.labelled_rows import known_by
from kedge.labels import LabelHorizon, label_horizon
from kedge.model_config import ModelConfig
from kedge.own_columns import COLLECTED, LABEL, LABEL_TIME, ROW_ID, TIME
from kedge.snapshot import Slice, join_history, select_labelled, snapshot_slice
from kedge.training_rows import typed_rows

_SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class LabelledHistory:
    """What may be learnt from and judged on.

    Attributes
    ----------
    rows : Table
        As `typed_rows` returns them, labelled, within the slice, oldest first.
    usable : Slice
    horizon : LabelHorizon
        With None for days nothing is ripe, so that there are no rows.
    too_old : int
        Labelled rows from before the slice.
    """

    rows: pa.Table
    usable: Slice
    horizon: LabelHorizon
    too_old: int = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """Why there can be no rows at all, in a sentence."""
        return (f"the label horizon is not known: {self.horizon.reason}",) if self.horizon.days is None else ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What a reader of a refusal should know of the rows that were not used."""
        if not self.too_old:
            return ()
        since = f"{self.usable.start:%Y-%m-%d}"
        return (f"{self.too_old} labelled rows are older than training.window_days reaches, from {since} on",)


def labelled_history(
    predicted: pa.Table | None,
    initial: pa.Table | None,
    config: ModelConfig,
    *,
    now: datetime,
    known_horizon_days: float | None,
) -> LabelledHistory:
    """Put together what was answered, its labels, and the user's first rows.

    Parameters
    ----------
    predicted : Table or None
        Rows of the predictions table joined with their labels: `kedge_row_id`, `kedge_time`, features, `label`, `kedge_collected`.
    initial : Table or None
        `kedge_row_id`, `kedge_time`, features, `label`; with `kedge_label_time`, they ripen like any others, without it
        their supplier vouches for their labels.
    known_horizon_days : float or None
        The horizon learnt last, for when these rows cannot teach it.
    """
    parts, observed = [], []
    if predicted is not None and predicted.num_rows:
        known = known_by(predicted, now.timestamp())
        parts.append(typed_rows(known, config))
        observed.append((parts[-1], seconds_of(known.column(COLLECTED))))
    first = None
    if initial is not None and initial.num_rows:
        first = typed_rows(_known_by(initial, now), config)
        if LABEL_TIME in initial.column_names:
            observed.append((first, seconds_of(initial.column(LABEL_TIME))))
    horizon = _horizon(observed, config, now, known_horizon_days)
    usable = snapshot_slice(now, window_days=config.training.window_days, label_horizon_days=horizon.days or 0.0)
    rows = join_history(parts[0] if parts else _none_of(config), first)
    if horizon.days is None:
        rows = rows.slice(0, 0)
    before = pc.less(rows.column(TIME), pa.scalar(usable.start, rows.schema.field(TIME).type))
    too_old = pc.sum(pc.and_(before, pc.is_valid(rows.column(LABEL)))).as_py() or 0
    return LabelledHistory(select_labelled(rows, usable), usable, horizon, too_old)


def _known_by(initial: pa.Table, now: datetime) -> pa.Table:
    """The user's rows with the labels that were not known at `now` taken out."""
    if LABEL_TIME not in initial.column_names:
        return initial
    known = pa.array(seconds_of(initial.column(LABEL_TIME)) <= now.timestamp())
    label = pc.if_else(known, initial.column(LABEL), None)
    return initial.set_column(initial.schema.get_field_index(LABEL), LABEL, label)


def _horizon(
    observed: list[tuple[pa.Table, np.ndarray]], config: ModelConfig, now: datetime, known: float | None
) -> LabelHorizon:
    """The YAML's horizon, else the one that these rows teach, else the one learnt last."""
    chosen = config.labels.label_horizon_days
    if chosen is not None:
        return LabelHorizon(chosen, f"the YAML sets {chosen:g} days")
    if not observed:
        return LabelHorizon(0.0, "there are only rows whose supplier vouches for their labels")
    learnt = _learnt(observed, config, now)
    if learnt.days is None and known is not None:
        return LabelHorizon(known, f"{known:.1f} days, learnt before; now {learnt.reason}")
    return learnt


def _learnt(observed: list[tuple[pa.Table, np.ndarray]], config: ModelConfig, now: datetime) -> LabelHorizon:
    delays, ages, outcomes = [], [], []
    for rows, labelled_at in observed:
        answered_at = seconds_of(rows.column(TIME))
        seen = np.isfinite(labelled_at) & (labelled_at <= now.timestamp()) & pc.is_valid(rows.column(LABEL)).to_numpy()
        delays.append((labelled_at - answered_at)[seen] / _SECONDS_A_DAY)
        ages.append((now.timestamp() - answered_at)[seen] / _SECONDS_A_DAY)
        outcomes.append(_classes(rows.column(LABEL).filter(pa.array(seen)), config))
    delayed, quantile = np.maximum(np.concatenate(delays), 0.0), config.labels.horizon_quantile
    return label_horizon(
        delayed, np.concatenate(ages), np.concatenate(outcomes), quantile=quantile, names=config.labels.classes
    )


def _classes(labels: pa.ChunkedArray, config: ModelConfig) -> np.ndarray:
    """Code of each label's class; of a regression 0, and one more than the last where it is no class."""
    if config.problem == "regression":
        return np.zeros(len(labels), np.int64)
    places = pc.index_in(labels, value_set=pa.array(config.labels.classes, pa.string()))
    return np.asarray(pc.fill_null(places, len(config.labels.classes)).to_numpy(), np.int64)


def _none_of(config: ModelConfig) -> pa.Table:
    names = (*config.feature_names, LABEL)
    types = {ROW_ID: pa.string(), TIME: pa.timestamp("us", "UTC"), **dict.fromkeys(names, pa.string())}
    return typed_rows(pa.schema(list(types.items())).empty_table(), config)
