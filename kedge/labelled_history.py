"""The rows that a retraining may use: answered, labelled, and old enough for the label to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.labels import LabelHorizon, label_horizon
from kedge.model_config import ModelConfig
from kedge.snapshot import Slice, join_history, select_labelled, snapshot_slice
from kedge.training_rows import LABEL, ROW_ID, TIME, typed_rows

LABEL_TIME = "label_time"
_SECONDS_A_DAY = 86_400.0
Labels = Mapping[str, tuple[str, float]]


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
    """

    rows: pa.Table
    usable: Slice
    horizon: LabelHorizon

    @property
    def problems(self) -> tuple[str, ...]:
        """Why there can be no rows at all, in a sentence."""
        return (f"the label horizon is not known: {self.horizon.reason}",) if self.horizon.days is None else ()


def labelled_history(
    predicted: pa.Table | None,
    labels: Labels,
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
        Rows of the predictions table: `row_id`, `time`, features.
    labels : mapping of str to (str, float)
        By row id the label and when it was collected, in seconds since the epoch; none later than `now`.
    initial : Table or None
        `row_id`, `time`, features, `label`; with `label_time`, they ripen like any others, without it
        their supplier vouches for their labels.
    known_horizon_days : float or None
        The horizon learnt last, for when these rows cannot teach it.
    """
    parts, observed = [], []
    if predicted is not None and predicted.num_rows:
        answered, times = _with_labels(predicted, labels)
        parts.append(typed_rows(answered, config))
        observed.append((parts[-1], times))
    first = None
    if initial is not None and initial.num_rows:
        first = typed_rows(_known_by(initial, now), config)
        if LABEL_TIME in initial.column_names:
            observed.append((first, _seconds(initial.column(LABEL_TIME))))
    horizon = _horizon(observed, config, now, known_horizon_days)
    usable = snapshot_slice(now, window_days=config.training.window_days, label_horizon_days=horizon.days or 0.0)
    rows = join_history(parts[0] if parts else _none_of(config), first)
    if horizon.days is None:
        rows = rows.slice(0, 0)
    return LabelledHistory(select_labelled(rows, usable), usable, horizon)


def _with_labels(predicted: pa.Table, labels: Labels) -> tuple[pa.Table, np.ndarray]:
    found = [labels.get(row_id) for row_id in predicted.column(ROW_ID).to_pylist()]
    column = pa.array([text[0] if text else None for text in found], pa.string())
    return predicted.append_column(LABEL, column), np.array([text[1] if text else np.nan for text in found])


def _known_by(initial: pa.Table, now: datetime) -> pa.Table:
    """The user's rows with the labels that were not known at `now` taken out."""
    if LABEL_TIME not in initial.column_names:
        return initial
    known = pa.array(_seconds(initial.column(LABEL_TIME)) <= now.timestamp())
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
        answered_at = _seconds(rows.column(TIME))
        seen = np.isfinite(labelled_at) & (labelled_at <= now.timestamp()) & pc.is_valid(rows.column(LABEL)).to_numpy()
        delays.append((labelled_at - answered_at)[seen] / _SECONDS_A_DAY)
        ages.append((now.timestamp() - answered_at)[seen] / _SECONDS_A_DAY)
        outcomes.append(rows.column(LABEL).filter(pa.array(seen)).to_numpy())
    texts = np.concatenate(outcomes)
    regression = config.problem == "regression"
    classes = np.array([0 if regression else _class(text, config) for text in texts], np.int64)
    quantile = config.labels.horizon_quantile
    return label_horizon(np.maximum(np.concatenate(delays), 0.0), np.concatenate(ages), classes, quantile=quantile)


def _class(text: str, config: ModelConfig) -> int:
    return config.labels.classes.index(text) if text in config.labels.classes else len(config.labels.classes)


def _seconds(column: pa.ChunkedArray) -> np.ndarray:
    instants = column
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        instants = pc.assume_timezone(column, "UTC")
    micros = instants.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    seconds: np.ndarray = micros.cast(pa.float64(), safe=False).to_numpy() / 1e6
    return seconds


def _none_of(config: ModelConfig) -> pa.Table:
    names = (*config.feature_names, LABEL)
    types = {ROW_ID: pa.string(), TIME: pa.timestamp("us", "UTC"), **dict.fromkeys(names, pa.string())}
    return typed_rows(pa.schema(list(types.items())).empty_table(), config)
