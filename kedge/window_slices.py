"""The slices of a window's labelled rows, as the report's "performance" holds them: where it fails, and whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.concept_drift import with_since
from kedge.fairness import ColumnFairness
from kedge.model_config import ModelConfig
from kedge.outcomes import read_outcomes
from kedge.severity import worst
from kedge.slice_judgement import judge_slices
from kedge.slices import SliceCounts
from kedge.window_fairness import WindowRows, fairness_of


def window_slices(
    rows: WindowRows,
    reference: SliceCounts | None,
    config: ModelConfig,
    *,
    start: datetime,
    previous: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The parts "segments", "concept_drift" and "fairness"; what there is nothing to judge by is absent.

    Parameters
    ----------
    reference : SliceCounts or None
        The champion's holdout; without it nothing says how the answers' slices used to be.
    start : datetime
        Of the window, to date what moved.
    previous : mapping or None
        The "performance" of the window before.
    """
    found: dict[str, Any] = {}
    if reference is not None:
        reference = reference.shown_as(config.features)
        table = rows.table.filter(pa.array(rows.ripe))
        outcomes, faults = read_outcomes(table, rows.prediction, rows.label, config)
        kept = table.filter(pa.array(faults.kept))
        slices = judge_slices(
            lambda names: [({name: kept.column(name) for name in names}, outcomes)],
            reference, config.segments, ruler=reference.ruler,
        )  # fmt: skip
        if slices.concept_drift is not None:
            dated = with_since(slices.concept_drift, (previous or {}).get("concept_drift"), start=start)
            slices = replace(slices, concept_drift=dated)
        found = slices.to_json()
    fairness = fairness_of(rows, config, reference.ruler.by_column if reference else {})
    return found | (fairness_json(fairness) if fairness else {})


def fairness_json(columns: Sequence[ColumnFairness]) -> dict[str, Any]:
    """The part "fairness": the worst verdict, and each column's."""
    severity = worst(column.severity for column in columns)
    return {"fairness": {"severity": severity.value, "columns": [column.to_json() for column in columns]}}
