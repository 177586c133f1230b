"""A challenger compared with the champion by the business's own figures, on the same holdout rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.business import figure_values
from kedge.gate import GateRow
from kedge.intervals import z_of
from kedge.model_config import ModelConfig
from kedge.model_policies import BusinessFigure

Ints = NDArray[np.int64]


def business_rows(
    holdout: pa.Table, answers: Mapping[str, NDArray[np.float64] | NDArray[np.int64]], labels: Ints, config: ModelConfig
) -> list[GateRow]:
    """A gate row for each figure with `gate`: refused where the challenger is worse beyond chance on the paired rows.

    Parameters
    ----------
    holdout : Table
        The rows that both models answered, with the figures' columns.
    answers : mapping of "challenger" and "champion" to ndarray, shape (n_rows,)
        Without a champion there is nothing to compare.
    labels : ndarray of int, shape (n_rows,)
        1 for the positive class, 0 for the other.
    """
    if "champion" not in answers:
        return []
    found = (_gate_row(figure, holdout, answers, labels, config) for figure in config.business if figure.gate)
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
    gain = gain[np.isfinite(gain)]
    if len(gain) < 2:
        return None
    value, reach = float(gain.mean()), z_of(config.gate.confidence) * float(gain.std(ddof=1)) / math.sqrt(len(gain))
    worse = value + reach < 0
    reason = (
        f"{figure.name} moves by {value:+.4g} ({value - reach:+.4g} to {value + reach:+.4g}) a prediction to the better "
        f"on {len(gain)} paired rows; it must not be worse beyond chance"
    )
    name = f"business {figure.name}"
    return GateRow(name, 0.0, value, "REFUSE" if worse else "PASS", reason, value - reach, value + reach)
