"""What a baseline's own rows, in their order, say of how far rows repeat each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as pa

from kedge.ages import RowTimes
from kedge.baseline import Baseline, Profile
from kedge.counting import count_rows_by_hour
from kedge.design_effect import block_codes, design_effects

Role = Literal["feature", "prediction"]


def with_design_effects(
    baseline: Baseline, features: pa.Table, predictions: pa.Table, *, times: RowTimes = None
) -> Baseline:
    """The baseline with the design effect of each column, from consecutive stretches of its rows.

    Training data span the seasons that a window will stand in: columns that come and go with them are worth fewer rows, and so
    a window must differ by more than the baseline's own stretches do. Rows in no order say nothing, and cost nothing.

    Parameters
    ----------
    features, predictions : Table
        The rows that the baseline was frozen from, in the order of time.
    times : str, mapping or None
        As they were counted with.
    """
    found: dict[str, float] = {}
    sides: tuple[tuple[Role, pa.Table], ...] = (("feature", features), ("prediction", predictions))
    for role, table in sides:
        ruler = _of_role(baseline, role)
        blocks = count_rows_by_hour(ruler, table, block_codes(table.num_rows), times=times)
        found |= design_effects(ruler, [blocks[code] for code in sorted(blocks)])
    return replace(baseline, design_effects=found)


def _of_role(baseline: Baseline, role: Role) -> Baseline:
    """The ruler of the columns that stand in one table."""
    columns = tuple(column for column in baseline.columns if column.role == role)
    starts = [baseline.offsets[column.name] for column in columns]
    ends = [start + baseline.bins[column.name].width for start, column in zip(starts, columns, strict=True)]
    parts = [baseline.profile.counts[start:end] for start, end in zip(starts, ends, strict=True)]
    counts = np.concatenate([np.empty(0, np.int64), *parts])
    return replace(baseline, columns=columns, profile=Profile(baseline.baseline, baseline.profile.rows, counts))
