"""The holdout by group: a challenger must not be worse on any group, nor treat groups less alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.comparisons import change, in_words
from kedge.config.metrics import Direction
from kedge.config.model import ModelConfig
from kedge.gate.holdout import GateRow, Holdout
from kedge.own_columns import LABEL
from kedge.performance.measures import Numbers
from kedge.severity import Severity
from kedge.slices.fairness import ColumnFairness, Disparity, WindowRows, judge_fairness, sensitive_counts
from kedge.slices.groupings import MISSING, OTHER, Grouping, freeze_grouping

# Few and large: a holdout is small, and every slice makes the interval of each wider.
BANDS, LEVELS = 4, 6


def holdout_groupings(holdout: pa.Table, config: ModelConfig) -> dict[str, Grouping]:
    """Groups of the features, cut by the holdout itself: `segments.columns` of the YAML (all by default) and the sensitive ones."""
    named = config.segments.columns or config.feature_names
    return {
        feature.name: freeze_grouping(
            feature.name,
            "numeric" if feature.kind == "numeric" else "categorical",
            holdout.column(feature.name),
            bands=BANDS,
            levels=LEVELS,
        ).shown_as(config.hidden)
        for feature in config.features
        if feature.name in named or feature.name in config.fairness.columns
    }


def holdout_slices(holdout: pa.Table, groupings: Mapping[str, Grouping]) -> dict[str, NDArray[np.bool_]]:
    """The rows of each group, by its name in words; rare levels and missing values make no slice.

    >>> groupings = {"sex": Grouping("sex", "categorical", levels=("f", "m"))}
    >>> {name: rows.tolist() for name, rows in holdout_slices(pa.table({"sex": ["f", "m", None]}), groupings).items()}
    {'sex=f': [True, False, False], 'sex=m': [False, True, False]}
    """
    found = {}
    for name, grouping in groupings.items():
        codes = grouping.codes(holdout.column(name))
        for code, group in enumerate(grouping.names):
            if group not in (OTHER, MISSING):
                found[f"{name}={group}"] = codes == code
    return found


def fairness_rows(holdout: Holdout) -> tuple[GateRow, ...]:
    """A row for each limit on each sensitive column.

    The gate refuses a challenger that clearly breaks a limit and is not fairer than the champion. So a fairer
    challenger may still replace a champion that is worse.
    """
    table, config, groupings = holdout.table, holdout.config, holdout.groupings
    found = {name: _fairness(table, given, config, groupings) for name, given in holdout.answers.items()}
    before = {(column.column, d.estimate.name): d for column in found.get("champion", ()) for d in column.disparities}
    return tuple(
        _row(column.column, d, before.get((column.column, d.estimate.name)))
        for column in found["challenger"]
        for d in column.disparities
        if d.limit is not None
    )


def _fairness(
    holdout: pa.Table, answers: Numbers, config: ModelConfig, groupings: Mapping[str, Grouping]
) -> tuple[ColumnFairness, ...]:
    given = pa.array(answers)
    if config.problem == "multiclass_classification":
        # Codes are written as the classes that they stand for; a negative code stands for none.
        given = pa.array([config.labels.classes[code] if code >= 0 else None for code in answers.tolist()], pa.string())
    name = config.prediction.name
    table = holdout.append_column(name, given)
    rows = WindowRows(table, name, LABEL, np.ones(table.num_rows, bool))
    return judge_fairness(sensitive_counts(rows, config, groupings), config.fairness)


def _row(column: str, found: Disparity, before: Disparity | None) -> GateRow:
    e, limit = found.estimate, found.limit or 0.0
    sign = 1.0 if e.name == "disparate_impact" else -1.0
    fairer = before is not None and sign * (e.value - before.estimate.value) > 0
    refused = found.severity is Severity.CRITICAL and not fairer
    words = e.name.replace("_", " ")
    side: Direction = "higher" if sign > 0 else "lower"
    value = (
        f"{words} of {column} {in_words(e.value)}"
        if before is None
        else change(f"{words} of {column}", before.estimate.value, e.value, side)
    )
    reason = (
        f"{value} (interval {in_words(e.low)} to {in_words(e.high)}) between {found.groups[0]} and {found.groups[1]}; "
        f"limit: {'at least' if sign > 0 else 'at most'} {limit:g}"
    )
    return GateRow(
        f"fairness {column} {e.name}", limit, e.value, "REFUSE" if refused else "PASS", reason, e.low, e.high
    )
