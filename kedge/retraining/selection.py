"""Which of the rows that may train a model do: classes balanced, the newest of too many, some of the user's first rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Ints
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.own_columns import LABEL
from kedge.retraining.snapshot import Split, together


def selected(split: Split, config: ModelConfig, older: pa.Table | None = None) -> tuple[Split, tuple[str, ...]]:
    """The split with the training rows that the YAML wants, and what was done to them, in sentences.

    The holdout stays as it is: it is judged as the endpoint will see it.

    Parameters
    ----------
    split : Split
        As `split_in_time` returns it.
    older : Table, optional
        The user's first rows from before the window, oldest first.
    """
    rows, policy, notes = split.training, config.training, list[str]()
    if policy.class_ratio_max is not None and config.classes and rows.num_rows:
        rows, before = _balanced(rows, policy.class_ratio_max), rows.num_rows
        if rows.num_rows < before:
            notes.append(
                f"{before - rows.num_rows:,} training rows of larger classes are left out, evenly over time "
                f"(training.class_ratio_max {policy.class_ratio_max:g}): the model's probabilities are of this mixture"
            )
    if policy.initial_fraction and older is not None and older.num_rows:
        wanted = round(rows.num_rows * policy.initial_fraction / (1 - policy.initial_fraction))
        taken = _evenly(older, wanted)
        rows = together([taken, rows])
        notes.append(
            f"{counted(taken.num_rows, 'first row')} from before the window are mixed in (training.initial_fraction)"
        )
    if policy.maximum_rows is not None and rows.num_rows > policy.maximum_rows:
        rows, before = _newest(rows, policy.maximum_rows, by_class=bool(config.classes)), rows.num_rows
        notes.append(f"the newest {rows.num_rows:,} of {before:,} training rows are used (training.maximum_rows)")
    return replace(split, training=rows), tuple(notes)


def _balanced(rows: pa.Table, ratio_max: float) -> pa.Table:
    codes = _codes(rows)
    counts = np.bincount(codes)
    most = max(1, int(ratio_max * counts.min()))
    # Evenly over time and not the newest: else the class would follow from the time.
    return rows.take(
        pa.array(np.sort(np.concatenate([_spread(np.flatnonzero(codes == c), most) for c in range(len(counts))])))
    )


def _newest(rows: pa.Table, most: int, *, by_class: bool) -> pa.Table:
    """The newest rows, of each class its share of them; a class of few rows keeps at least one."""
    if not by_class:
        return rows.slice(rows.num_rows - most)
    codes = _codes(rows)
    shares = np.bincount(codes) * most / rows.num_rows
    quotas = np.maximum(np.floor(shares).astype(np.int64), 1)
    left = max(0, most - int(quotas.sum()))
    quotas[np.argsort(np.floor(shares) - shares, kind="stable")[:left]] += 1
    newest = [np.flatnonzero(codes == c)[-quota:] for c, quota in enumerate(quotas)]
    return rows.take(pa.array(np.sort(np.concatenate(newest))))


def _evenly(rows: pa.Table, most: int) -> pa.Table:
    return rows.take(pa.array(_spread(np.arange(rows.num_rows), most)))


def _spread(places: Ints, most: int) -> Ints:
    """At most this number of the places, evenly over all of them."""
    if len(places) <= most:
        return places
    return places[np.arange(most) * len(places) // most] if most else places[:0]


def _codes(rows: pa.Table) -> Ints:
    return np.asarray(pc.dictionary_encode(rows.column(LABEL)).combine_chunks().indices.to_numpy(), np.int64)
