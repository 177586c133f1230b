"""The rows for training and for judging: their split in time, reasons to refuse them, and their manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.instants import to_text
from kedge.own_columns import LABEL, ROW_ID, TIME
from kedge.retraining.learning import apart
from kedge.retraining.rows import on_one_line


@dataclass(frozen=True)
class Slice:
    """The half-open stretch of time `[start, ripe_until)` whose labelled rows may be used."""

    start: datetime
    ripe_until: datetime


@dataclass(frozen=True)
class Split:
    """Training rows, and the strictly newer holdout rows; `unscorable` holdout rows were left out (`on_one_line`)."""

    training: pa.Table
    holdout: pa.Table
    unscorable: int = 0

    @property
    def training_end(self) -> datetime | None:
        """The time of the newest training row."""
        return pc.max(self.training.column(TIME)).as_py() if self.training.num_rows else None


def snapshot_slice(now: datetime, *, start: datetime, label_horizon_days: float) -> Slice:
    """Delimit the rows of a snapshot taken at `now`: young enough to matter, old enough for their labels.

    >>> from datetime import UTC
    >>> now = datetime(2016, 2, 10, tzinfo=UTC)
    >>> usable = snapshot_slice(now, start=now - timedelta(days=30), label_horizon_days=9.0)
    >>> usable.start.date().isoformat(), usable.ripe_until.date().isoformat()
    ('2016-01-11', '2016-02-01')
    """
    return Slice(start, now - timedelta(days=label_horizon_days))


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all tables; whole numbers may be stored as integers in one and as floats in another."""
    return pa.concat_tables(tables, promote_options="permissive")


def join_history(predicted: pa.Table, initial: pa.Table | None, partial: pa.Table | None = None) -> pa.Table:
    """Put the user's initial rows before the predicted ones, oldest first, each `kedge_row_id` once.

    Initial rows count only if they are older than all predicted rows: for a time that both
    cover, the endpoint's rows are the truth.

    Parameters
    ----------
    predicted, initial : Table
        As `typed_rows` returns them.
    partial : Table, optional
        Answered rows that lack a feature of the initial rows: they count only outside the time that the initial rows cover.
    """
    if initial is not None and initial.num_rows:
        if predicted.num_rows:
            initial = initial.filter(pc.less(initial.column(TIME), pc.min(predicted.column(TIME))))
        if partial is not None and partial.num_rows and initial.num_rows:
            span = pc.min_max(initial.column(TIME))
            before = pc.less(partial.column(TIME), span["min"])
            partial = partial.filter(pc.or_(before, pc.greater(partial.column(TIME), span["max"])))
        predicted = together([initial, predicted])
    if partial is not None and partial.num_rows:
        predicted = together([predicted, partial])
    if not predicted.num_rows:
        return predicted
    # The rows are the most that a retraining holds: they are copied once, in their order and each once.
    order = pc.sort_indices(predicted, [(TIME, "ascending"), (ROW_ID, "ascending")])
    _, first = np.unique(predicted.column(ROW_ID).take(order).to_numpy(), return_index=True)
    return predicted.take(order.take(pa.array(np.sort(first))))


def select_labelled(rows: pa.Table, usable: Slice) -> pa.Table:
    """Keep the labelled rows of the slice."""
    return rows.filter(pc.and_(_are_inside(rows, usable), pc.is_valid(rows.column(LABEL))))


def count_ripe(rows: pa.Table, usable: Slice) -> int:
    """How many rows are in the slice, labelled or not."""
    return pc.sum(_are_inside(rows, usable)).as_py() or 0


def _are_inside(rows: pa.Table, usable: Slice) -> pa.ChunkedArray:
    moments = rows.column(TIME)
    kind = moments.type
    return pc.and_(
        pc.greater_equal(moments, pa.scalar(usable.start, kind)), pc.less(moments, pa.scalar(usable.ripe_until, kind))
    )


def split_in_time(rows: pa.Table, *, holdout_fraction: float, learnt_until: datetime | None) -> Split:
    """Keep the newest rows as holdout, strictly newer than all rows that champion or challenger learnt from.

    Rows that share the boundary's time stay together, on the training side. If the champion,
    or a challenger that is trained already, learnt from later rows, the boundary moves to the newest of them, so that
    neither model has seen a holdout row.

    Parameters
    ----------
    rows : Table
        Oldest first.
    holdout_fraction : float
        The wished fraction (0 to 1) of rows in the holdout.

    >>> from datetime import UTC
    >>> hours = pa.array([datetime(2016, 1, 1, hour, tzinfo=UTC) for hour in range(10)], pa.timestamp("us", "UTC"))
    >>> rows = pa.table({"kedge_row_id": [str(i) for i in range(10)], "kedge_time": hours})
    >>> split = split_in_time(rows, holdout_fraction=0.2, learnt_until=None)
    >>> split.training.num_rows, split.holdout.num_rows
    (8, 2)
    """
    if not rows.num_rows:
        return Split(rows, rows)
    boundary = rows.column(TIME)[boundary_place(rows.num_rows, holdout_fraction)].as_py()
    return split_at(rows, boundary if learnt_until is None else max(boundary, learnt_until))


def boundary_place(rows: int, holdout_fraction: float) -> int:
    """The place, oldest first, of the newest training row where none share its time."""
    return max(0, round(rows * (1 - holdout_fraction)) - 1)


def split_at(rows: pa.Table, boundary: datetime) -> Split:
    """Split rows into those until a time, and the newer ones."""
    newer = pc.greater(rows.column(TIME), pa.scalar(boundary, rows.schema.field(TIME).type))
    return Split(rows.filter(pc.invert(newer)), rows.filter(newer))


def without_unscorable(split: Split, config: ModelConfig, champion: ModelConfig | None = None) -> Split:
    """Leave out holdout rows that no batch transform can take, also not the champion's if it has another schema.

    A later training may still use them.
    """
    holdout = on_one_line(split.holdout, config, champion)
    return Split(split.training, holdout, split.holdout.num_rows - holdout.num_rows)


def refusal_reasons(split: Split, config: ModelConfig, *, lacking: Collection[str] = ()) -> tuple[str, ...]:
    """Say in sentences why these rows must not train or judge a model; empty if nothing is wrong.

    Parameters
    ----------
    lacking : collection of str
        Features that rows of older schemas do not have: that they are missing is not a fault of the data.
    """
    reasons = [
        *_too_few("training", split.training, config.training.minimum_rows),
        *_too_few("holdout", split.holdout, config.gate.minimum_holdout_rows),
    ]
    for name, rows in (("training", split.training), ("holdout", split.holdout)):
        if rows.num_rows:
            reasons += _label_reasons(name, rows, config)
    if config.training.validation_fraction and split.training.num_rows:
        # A metric that compares classes has no value on rows of one, and a search for it would be paid for in vain.
        kept = apart(split.training, config)[1]
        reasons += _label_reasons("validation", kept, config) if kept.num_rows else _too_few("validation", kept, 1)
    if reasons and split.unscorable:
        reasons.append(unscorable_sentence(split.unscorable))
    if split.training.num_rows:
        reasons += [
            f"feature {name} is missing in every training row"
            for name in config.feature_names
            if name not in lacking and split.training.column(name).null_count == split.training.num_rows
        ]
    return tuple(reasons)


def unscorable_sentence(rows: int) -> str:
    """Say why holdout rows were left out, and what to do."""
    return (
        f"{rows:,} holdout rows are left out: their id or a value holds a line break, and batch transform takes one row of CSV a line; "
        "send values without line breaks, or use endpoint.content_type application/json"
    )


def file_entry(rows: pa.Table | None, *, sha256: str, size: int) -> dict[str, Any]:
    """Describe one file of the snapshot: its SHA-256, its size in bytes and, if it holds rows, how many and from when."""
    entry: dict[str, Any] = {"sha256": sha256, "bytes": size}
    if rows is None or not rows.num_rows:
        return entry
    span = pc.min_max(rows.column(TIME)).as_py()
    return entry | {"rows": rows.num_rows, "first": to_text(span["min"]), "last": to_text(span["max"])}


@dataclass(frozen=True)
class Origin:
    """Where a snapshot's rows come from: the time that they are taken of, the age of a believed label, the objects read, and what they lack."""

    usable: Slice
    label_horizon_days: float | None
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()


def snapshot_manifest(
    *,
    model: str,
    run: str,
    origin: Origin,
    files: Mapping[str, Mapping[str, Any]],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Describe a snapshot so that anyone can check which rows were used; `digest` names its content.

    >>> from datetime import UTC
    >>> usable = Slice(datetime(2016, 1, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC))
    >>> made = snapshot_manifest(model="m", run="r", origin=Origin(usable, 3.5, ("b", "a")), files={})
    >>> made["sources"], len(made["digest"])
    (['a', 'b'], 64)
    """
    facts = {
        "model": model,
        "run": run,
        "label_horizon_days": origin.label_horizon_days,
        "slice": {"start": to_text(origin.usable.start), "ripe_until": to_text(origin.usable.ripe_until)},
        "files": {name: dict(entry) for name, entry in sorted(files.items())},
        "sources": sorted(origin.sources),
    } | ({"notes": list(notes)} if notes else {})
    return facts | {"digest": hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()}


def _too_few(name: str, rows: pa.Table, minimum: int) -> list[str]:
    if rows.num_rows >= minimum:
        return []
    return [f"{counted(rows.num_rows, f'labelled {name} row')}; {minimum:,} are needed"]


def _label_reasons(name: str, rows: pa.Table, config: ModelConfig) -> list[str]:
    found = sorted(set(rows.column(LABEL).to_pylist()))
    if config.problem == "regression":
        return [f"all {name} labels are the same number"] if len(found) == 1 else []
    strange = [label for label in found if label not in config.labels.classes]
    if strange:
        known = ", ".join(config.labels.classes)
        what = "value that is" if len(strange) == 1 else "different values that are"
        return [
            f"the {name} labels hold {len(strange)} {what} none of the classes ({known}): send these labels again, spelt as "
            "labels.classes of the model's YAML spells them"
        ]
    return [f"all {name} rows have the label {found[0]}"] if len(found) == 1 else []
