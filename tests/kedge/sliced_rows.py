"""Labelled rows with features, cut into slices: answers that tell the truth, and whatever a test plants into one group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.columns.casting import Column
from kedge.outcomes.outcomes import Outcomes
from kedge.profile.freezing import freeze_baseline
from kedge.slices.counts import Batches
from kedge.slices.ruler import SliceRuler, freeze_ruler

COLUMNS = (
    Column("weight", "feature", "numeric", "float64"),
    Column("items", "feature", "numeric", "int64"),
    Column("carrier", "feature", "categorical", "string"),
    Column("score", "prediction", "numeric", "float64"),
)
CARRIERS = np.array(["sea", "road", "rail", "air"])


def make_rows(
    seed: int,
    rows: int,
    *,
    shift: float = 0.0,
    blind: str = "",
    riskier: str = "",
    flipped: tuple[str, int] | None = None,
) -> tuple[pa.Table, Outcomes]:
    """Rows whose scores tell the truth; on carrier `blind` labels are drawn by the mean, on `riskier` 0.2 more come true."""
    rng = np.random.default_rng(seed)
    weight, items = rng.normal(shift, 1, rows), rng.integers(0, 4, rows)
    carrier = rng.choice(CARRIERS, rows, p=[0.4, 0.3, 0.2, 0.1])
    truth = 1 / (1 + np.exp(-(-0.5 + 1.4 * weight + 0.4 * (items - 1.5))))
    score = 1 / (1 + np.exp(-0.7 * np.log(truth / (1 - truth)) + 0.2))
    chance = np.where(carrier == blind, truth.mean(), truth)
    chance = np.clip(chance + 0.2 * (carrier == riskier), 0, 1)
    if flipped is not None:
        chance = np.where((carrier == flipped[0]) & (items == flipped[1]), 1 - chance, chance)
    labels = (rng.random(rows) < chance).astype(np.int64)
    table = pa.table({"weight": weight, "items": items, "carrier": carrier, "score": score})
    return table, Outcomes("binary_classification", score, labels, ("0", "1"))


def make_classes(
    seed: int, rows: int, *, shift: float = 0.0, certainty: float = 1.0, mislabelled: str = "", scored: bool = True
) -> tuple[pa.Table, Outcomes]:
    """Four classes whose probabilities tell the truth at a certainty of 1; on carrier `mislabelled` half of the labels are drawn blindly."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(shift, 1, (rows, 2))
    carrier = rng.choice(np.array(["sea", "road", "rail"]), rows, p=[0.5, 0.3, 0.2])
    heights = inputs @ np.array([[1.2, 0.2, -0.6, -1.0], [0.5, -1.3, 0.9, 0.1]])
    truth = _softmax(heights)
    truth[carrier == mislabelled] = truth[carrier == mislabelled] / 2 + 1 / 8
    labels = (truth.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, 3)
    said = _softmax(certainty * heights)
    answers = said.argmax(axis=1)
    columns = {"weight": inputs[:, 0], "items": inputs[:, 1], "carrier": carrier}
    table = pa.table(columns | {"answer": np.array(["a", "b", "c", "d"])[answers]})
    probabilities = said if scored else None
    return table, Outcomes("multiclass_classification", answers, labels, ("a", "b", "c", "d"), probabilities)


def ruler_of(table: pa.Table) -> SliceRuler:
    """The ruler of these rows."""
    return freeze_ruler(freeze_baseline("m", "1", COLUMNS, table, table), "binary_classification", classes=("0", "1"))


def batches(table: pa.Table, outcomes: Outcomes, *, size: int | None = None) -> Batches:
    """The rows in one batch, or in several."""
    step = size or max(table.num_rows, 1)

    def read(names: tuple[str, ...]) -> Any:
        for start in range(0, table.num_rows, step):
            part = table.slice(start, step)
            inside = np.zeros(table.num_rows, bool)
            inside[start : start + step] = True
            yield {name: part.column(name) for name in names}, outcomes.take(inside)

    return read


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
