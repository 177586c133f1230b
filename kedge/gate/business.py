"""A challenger compared with the champion by the business's own figures, on the same holdout rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Ints
from kedge.comparisons import Difference
from kedge.config.metrics import Direction
from kedge.config.model import ModelConfig
from kedge.config.policies import BusinessFigure
from kedge.gate.holdout import GateRow, Holdout, Verdict
from kedge.intervals import z_of
from kedge.performance.business import figure_values


def business_rows(holdout: Holdout) -> list[GateRow]:
    """A gate row for each figure with `gate`: REFUSE if the challenger is worse beyond chance on the paired rows.

    Without a champion there is nothing to compare.
    """
    if holdout.champion is None:
        return []
    table, answers, config = holdout.table, holdout.answers, holdout.config
    labels = holdout.labels.astype(np.int64)
    found = (_gate_row(figure, table, answers, labels, config) for figure in config.business if figure.gate)
    return [row for row in found if row is not None]


def _gate_row(
    figure: BusinessFigure,
    holdout: pa.Table,
    answers: Mapping[str, NDArray[np.float64] | NDArray[np.int64]],
    labels: Ints,
    config: ModelConfig,
) -> GateRow | None:
    sides = [
        figure_values(figure, holdout, answers[name] >= config.prediction.threshold, labels)
        for name in ("challenger", "champion")
    ]
    if sides[0] is None or sides[1] is None:
        return None
    gain = figure.sign * (sides[0] - sides[1])
    known = np.isfinite(gain)
    gain = gain[known]
    if len(gain) < 2:
        return None
    value, reach = float(gain.mean()), z_of(config.gate.confidence) * float(gain.std(ddof=1)) / math.sqrt(len(gain))
    worse = value + reach < 0
    before, after = (float(side[known].mean()) for side in (sides[1], sides[0]))
    better: Direction = "higher" if figure.sign > 0 else "lower"
    found = Difference(
        f"{figure.name} per prediction", better, before, after, value, value - reach, value + reach, len(gain)
    )
    reason = f"{found.words}; it must not be clearly worse"
    name = f"business {figure.name}"
    verdict: Verdict = "REFUSE" if worse else "PASS"
    return GateRow(name, 0.0, value, verdict, reason, value - reach, value + reach, figure.name, before, after)
