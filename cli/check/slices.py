"""Where the model of two labelled files fails, and whom it treats less alike: read a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from cli.rows.files import RowFiles
from kedge.config.model import ModelConfig
from kedge.outcomes.outcomes import Outcomes, read_outcomes
from kedge.profile.baseline import Baseline
from kedge.slices.counts import count_singles
from kedge.slices.fairness import added_groups, group_counts
from kedge.slices.group_counts import GroupCounts
from kedge.slices.judgement import CountedSlices, count_slices
from kedge.slices.ruler import SliceRuler, freeze_ruler


def count_file_slices(
    baseline: RowFiles, window: RowFiles, config: ModelConfig, frozen: Baseline, label: str
) -> CountedSlices:
    """The window's labelled rows by slice, beside the baseline's."""
    answer = next(column.name for column in frozen.columns if column.role == "prediction")
    ruler = freeze_ruler(frozen, config.problem, classes=config.classes, columns=config.segments.columns).shown_as(
        config.hidden
    )
    before, now = (partial(_batches, rows, config, answer, label) for rows in (baseline, window))
    return count_slices(now, count_singles(ruler, before), config.segments, ruler=ruler, before=before)


def absent_sensitive(window: RowFiles, config: ModelConfig) -> tuple[str, ...]:
    """A sentence for each sensitive column of the YAML that the window lacks."""
    return tuple(
        f"fairness is not judged for {name}: {window.path} has no such column"
        for name in config.fairness.columns
        if name not in window.schema.names
    )


def _batches(
    rows: RowFiles, config: ModelConfig, answer: str, label: str, names: tuple[str, ...]
) -> Iterator[tuple[Mapping[str, Any], Outcomes]]:
    probabilities = (name for name in config.prediction.probabilities if name in rows.schema.names)
    for batch in rows.batches([*dict.fromkeys((answer, label, *probabilities, *names))]):
        table = pa.Table.from_batches([batch])
        outcomes, faults = read_outcomes(table, answer, label, config)
        kept = table if faults.kept.all() else table.filter(pa.array(faults.kept))
        yield {name: kept.column(name) for name in names}, outcomes


def count_groups(
    window: RowFiles, config: ModelConfig, answer: str, label: str, ruler: SliceRuler
) -> tuple[GroupCounts, ...]:
    """The answered rows by the groups of each sensitive column that is there."""
    names = [name for name in config.fairness.columns if name in window.schema.names]
    totals: dict[str, GroupCounts] = {}
    for batch in window.batches([*dict.fromkeys((answer, label, *names))]) if names else ():
        table = pa.Table.from_batches([batch])
        totals = added_groups(totals, group_counts(table, answer, label, config, ruler.by_column, mark_key=ruler.key()))
    return tuple(totals.values())
