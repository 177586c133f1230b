"""Labelled rows with features, cut into slices: a calibrated score, and whatever a test plants into one group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from kedge.columns import Column
from kedge.outcomes import Outcomes
from kedge.profile import freeze_baseline
from kedge.slice_counting import Batches
from kedge.slice_ruler import SliceRuler, freeze_ruler

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
