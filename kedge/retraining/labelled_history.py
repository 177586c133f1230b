"""The rows that a retraining may use: answered, labelled, and old enough for the label to be in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.columns.casting import cast_numbers, is_number
from kedge.config.model import ModelConfig
from kedge.labels.horizon import LabelHorizon, label_horizon
from kedge.labels.join import seconds_of
from kedge.labels.labelled_rows import known_by
from kedge.own_columns import COLLECTED, LABEL, LABEL_TIME, ROW_ID, TIME
from kedge.retraining.population import Population, class_codes
from kedge.retraining.rows import Schemas, typed_rows
from kedge.retraining.snapshot import Slice, count_ripe, join_history, select_labelled, snapshot_slice, together

_SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class LabelledHistory:
    """The rows for training and for judging.

    Attributes
    ----------
    rows : Table
        As `typed_rows` returns them, labelled, within the slice, oldest first.
    usable : Slice
    horizon : LabelHorizon
        If its days are None, nothing is ripe and there are no rows.
    too_old : int
        Labelled rows from before the slice.
    lacking : mapping of str to int
        Labelled rows whose schema lacks a feature, by that feature: it is missing in them.
    gone : mapping of str to int
        Labelled rows of a class that the model no longer has, by class: they are left out.
    unparsable : mapping of str to int
        Values that cannot be read as their feature's type, by feature: they are missing in the rows.
    labelled_fraction : float or None
        Share of the rows of the slice that have a label; None without rows.
    older_first_rows : Table or None
        Labelled first rows of the user from before the slice.
    population : Population or None
        Of all rows, where `rows` are only those that a selection by it can use.
    """

    rows: pa.Table
    usable: Slice
    horizon: LabelHorizon
    too_old: int = 0
    lacking: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)
    unparsable: Mapping[str, int] = field(default_factory=dict)
    labelled_fraction: float | None = None
    older_first_rows: pa.Table | None = None
    population: Population | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why there are no rows at all, in a sentence."""
        return (f"the label horizon is not known: {self.horizon.reason}",) if self.horizon.days is None else ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What a reader of a refusal should know about the rows that were not used."""
        if not self.too_old:
            return self.of_schemas
        since = f"{self.usable.start:%Y-%m-%d}"
        old = f"{self.too_old:,} labelled rows are older than training.window_days reaches, from {since} on"
        return (*self.of_schemas, old)

    @property
    def of_schemas(self) -> tuple[str, ...]:
        """What rows of other schemas lack, in sentences."""
        total = f"{self.rows.num_rows:,} labelled rows"
        missing = [
            f"{name} is missing in {count:,} of {total}: these rows have no such column"
            for name, count in self.lacking.items()
        ]
        left = [
            f"{count:,} labelled rows are left out: their class {name} is not in labels.classes any more"
            for name, count in self.gone.items()
        ]
        return (*missing, *left)


@dataclass(frozen=True)
class RowsOfSchema:
    """Rows, and the schema that they were answered or handed over in; None if they must have every feature and class."""

    rows: pa.Table
    answered: ModelConfig | None = None


def labelled_history(
    predicted: Sequence[RowsOfSchema],
    initial: RowsOfSchema | None,
    config: ModelConfig,
    *,
    now: datetime,
    known_horizon_days: float | None,
    champion: ModelConfig | None = None,
) -> LabelledHistory:
    """Combine answered rows, their labels, and the user's first rows.

    Parameters
    ----------
    predicted : sequence of RowsOfSchema
        Rows of the predictions table joined with their labels: `kedge_row_id`, `kedge_time`, features, `label`, `kedge_collected`.
    initial : RowsOfSchema or None
        `kedge_row_id`, `kedge_time`, features, `label`; with `kedge_label_time` they ripen like all others; without it
        their labels count as complete.
    known_horizon_days : float or None
        The horizon learnt last, in case these rows are not enough to learn it.
    champion : ModelConfig, optional
        The schema of the model that serves, if it is another one.
    """
    parts, observed = [], []
    for one in predicted:
        if one.rows.num_rows:
            known = known_by(one.rows, now.timestamp())
            parts.append(_read(known, one.answered, config, champion))
            observed.append((parts[-1].rows, seconds_of(known.column(COLLECTED))))
    first = None
    if initial is not None and initial.rows.num_rows:
        first = _read(_known_by(initial.rows, now), initial.answered, config, champion)
        if LABEL_TIME in initial.rows.column_names:
            observed.append((first.rows, seconds_of(initial.rows.column(LABEL_TIME))))
    horizon = _horizon(observed, config, now, known_horizon_days)
    usable = snapshot_slice(now, start=config.training.reaches_to(now), label_horizon_days=horizon.days or 0.0)
    # First rows that have every feature replace answered rows that lack some.
    apart = first is not None and not first.lacking
    whole, partial = ([part.rows for part in parts if bool(part.lacking and apart) is side] for side in (False, True))
    nothing = _none_of(config, champion)
    rows = join_history(together([nothing, *whole]), first.rows if first else None, together([nothing, *partial]))
    if horizon.days is None:
        rows = rows.slice(0, 0)
    before = pc.less(rows.column(TIME), pa.scalar(usable.start, rows.schema.field(TIME).type))
    too_old = pc.sum(pc.and_(before, pc.is_valid(rows.column(LABEL)))).as_py() or 0
    kept = select_labelled(rows, usable)
    ripe = count_ripe(rows, usable)
    lacking, gone, unparsable = Counter[str](), Counter[str](), Counter[str]()
    for part in [*parts, *([first] if first else [])]:
        inside = pc.is_in(part.rows.column(ROW_ID), value_set=kept.column(ROW_ID).combine_chunks())
        lacking += Counter(dict.fromkeys(part.lacking, pc.sum(inside).as_py() or 0))
        gone += part.gone
        unparsable += part.unparsable(config, inside)
    return LabelledHistory(
        kept,
        usable,
        horizon,
        too_old,
        dict(lacking),
        dict(gone),
        dict(unparsable),
        kept.num_rows / ripe if ripe else None,
        _before(first.rows, usable) if first else None,
    )


@dataclass(frozen=True)
class _Read:
    rows: pa.Table
    lacking: tuple[str, ...]
    gone: Counter[str]
    raw: pa.Table
    schemas: Schemas

    def unparsable(self, config: ModelConfig, inside: pa.Array) -> Counter[str]:
        """Values of these rows that cannot be read as numbers, by feature."""
        found = Counter[str]()
        for feature in config.features:
            name = self.schemas.column_of(feature.name, self.raw)
            if feature.kind == "numeric" and name is not None and not is_number(self.raw.schema.field(name).type):
                column = self.raw.column(name).filter(inside)
                found[feature.name] = int(cast_numbers(column, feature.declared_dtype).unparsable.sum())
        return found


def _read(rows: pa.Table, answered: ModelConfig | None, config: ModelConfig, champion: ModelConfig | None) -> _Read:
    """Rows in the wanted schemas; labels of classes that the model no longer has are removed."""
    typed = typed_rows(rows, config, champion=champion, answered=answered)
    schemas = Schemas(config, champion, answered)
    lacking = schemas.lacking(rows)
    if answered is None or config.problem == "regression":
        return _Read(typed, lacking, Counter(), rows, schemas)
    known = pc.is_in(typed.column(LABEL), value_set=pa.array(config.labels.classes, pa.string()))
    theirs = pc.is_in(typed.column(LABEL), value_set=pa.array(answered.labels.classes, pa.string()))
    gone = pc.and_(theirs, pc.invert(known))
    counted = Counter(typed.column(LABEL).filter(gone).to_pylist())
    labels = pc.if_else(gone, pa.scalar(None, pa.string()), typed.column(LABEL))
    typed = typed.set_column(typed.schema.get_field_index(LABEL), LABEL, labels)
    return _Read(typed, lacking, counted, rows, schemas)


def _before(first: pa.Table, usable: Slice) -> pa.Table:
    """The labelled first rows from before the slice, oldest first."""
    older = pc.less(first.column(TIME), pa.scalar(usable.start, first.schema.field(TIME).type))
    return first.filter(pc.and_(older, pc.is_valid(first.column(LABEL)))).sort_by(
        [(TIME, "ascending"), (ROW_ID, "ascending")]
    )


def _known_by(initial: pa.Table, now: datetime) -> pa.Table:
    """The user's rows without the labels that were not known at `now`."""
    if LABEL_TIME not in initial.column_names:
        return initial
    known = pa.array(seconds_of(initial.column(LABEL_TIME)) <= now.timestamp())
    label = pc.if_else(known, initial.column(LABEL), None)
    return initial.set_column(initial.schema.get_field_index(LABEL), LABEL, label)


def _horizon(
    observed: list[tuple[pa.Table, np.ndarray]], config: ModelConfig, now: datetime, known: float | None
) -> LabelHorizon:
    """The YAML's horizon, else the one learnt from these rows, else the one learnt last."""
    chosen = config.labels.label_horizon_days
    if chosen is not None:
        return LabelHorizon(chosen, f"the YAML sets {chosen:g} days")
    if not observed:
        return LabelHorizon(0.0, "all rows are first rows without a label time, so their labels count as complete")
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
        outcomes.append(class_codes(rows.column(LABEL).filter(pa.array(seen)), config))
    delayed, quantile = np.maximum(np.concatenate(delays), 0.0), config.labels.horizon_quantile
    return label_horizon(
        delayed, np.concatenate(ages), np.concatenate(outcomes), quantile=quantile, names=config.labels.classes
    )


def _none_of(config: ModelConfig, champion: ModelConfig | None) -> pa.Table:
    names = (*config.feature_names, LABEL)
    types = {ROW_ID: pa.string(), TIME: pa.timestamp("us", "UTC"), **dict.fromkeys(names, pa.string())}
    return typed_rows(pa.schema(list(types.items())).empty_table(), config, champion=champion)
