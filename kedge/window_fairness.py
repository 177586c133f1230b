"""Fairness on a window's rows: the decisions of all of them, and the truth of those that are ripe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.fairness import ColumnFairness, judge_fairness
from kedge.group_counts import GroupCounts, read_decisions
from kedge.groupings import Grouping, freeze_grouping
from kedge.model_config import ModelConfig
from kedge.sensitive_groups import LEVELS_MAX, count_sensitive


@dataclass(frozen=True)
class WindowRows:
    """A window's rows with what is known of their truth.

    Attributes
    ----------
    table : Table
        The prediction, the label (null where it has not come), and every column that is sliced by.
    prediction, label : str
        Its columns.
    ripe : ndarray of bool, shape (n_rows,)
        Rows old enough for their label to be believed.
    """

    table: pa.Table
    prediction: str
    label: str
    ripe: NDArray[np.bool_]


def fairness_of(rows: WindowRows, config: ModelConfig, known: Mapping[str, Grouping]) -> tuple[ColumnFairness, ...]:
    """Judge the sensitive columns that are there: decisions of all rows, and the truth of the ripe ones.

    Parameters
    ----------
    known : mapping of str to Grouping
        Groups of the features.
    """
    place = rows.table.column_names.index(rows.label)
    label = rows.table.column(place)
    believed = pc.if_else(pa.array(rows.ripe), label, pa.scalar(None, label.type))
    # Groups of a column that is no feature are known by these rows alone; of many levels none is told by its name.
    beside = [name for name in config.fairness.columns if name in rows.table.column_names and name not in known]
    known = {**known} | {
        name: freeze_grouping(name, "categorical", rows.table.column(name), levels=LEVELS_MAX).shown_as(config.features)
        for name in beside
    }
    counts = group_counts(
        rows.table.set_column(place, rows.label, believed), rows.prediction, rows.label, config, known
    )
    return judge_fairness(counts, config.fairness) if counts else ()


def group_counts(
    table: pa.Table, prediction: str, label: str, config: ModelConfig, known: Mapping[str, Grouping]
) -> list[GroupCounts]:
    """Count the answered rows by the groups of each sensitive column that is there."""
    names = [name for name in config.fairness.columns if name in table.column_names]
    if not names:
        return []
    decisions, answered = read_decisions(table, prediction, label, config)
    kept = table.select(names).filter(pa.array(answered))
    return count_sensitive(dict(zip(names, kept.columns, strict=True)), decisions, config.fairness, known)


def added_groups(totals: Mapping[str, GroupCounts], counts: Iterable[GroupCounts]) -> dict[str, GroupCounts]:
    """Totals by column with some more rows."""
    more = {found.column: found for found in counts}
    return {**totals, **{name: totals[name] + found if name in totals else found for name, found in more.items()}}
