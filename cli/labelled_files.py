"""Measured quality of two files that hold the model's answers beside the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from cli.row_files import RowFiles, UnreadableFileError
from kedge.columns import Column, cast_numbers, cast_text
from kedge.model_config import ModelConfig
from kedge.performance import ScoreCounts, count_scores, judge_performance


def judge_files(
    baseline: RowFiles, window: RowFiles, config: ModelConfig, columns: tuple[Column, ...], label: str | None
) -> dict[str, Any] | None:
    """The report's "performance", with the baseline file as the reference; None without a label or a numeric answer."""
    prediction = next((column for column in columns if column.role == "prediction"), None)
    if label is None or prediction is None or prediction.kind != "numeric":
        return None
    if config.problem != "binary_classification":
        return None
    before, now = (_counted(side, config, prediction.name, label) for side in (baseline, window))
    if before is None or now is None:
        return None
    return judge_performance(
        now[0], before[0], config.performance, provisional_rows=0, unlabelled_rows=now[1],
        horizon_reason="every labelled row of the file counts as ripe",
    ).to_json()  # fmt: skip


def _counted(rows: RowFiles, config: ModelConfig, prediction: str, label: str) -> tuple[ScoreCounts, int] | None:
    """Labelled scores, and the rows that have a score and no label; None where the label has other classes."""
    table = rows.read([prediction, label])
    scores = cast_numbers(table.column(prediction), "float64").values
    words = cast_text(table.column(label)).to_pylist()
    spelt = {**{word: i for i, word in enumerate(config.labels.classes)}, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
    if len(config.labels.classes) != 2 or {w for w in words if w is not None} - {*spelt, "False", "True"}:
        return None
    labels = np.array([-1 if word is None else spelt.get(word, spelt.get(word.lower(), -1)) for word in words])
    answered = np.isfinite(scores)
    if ((scores[answered] < 0) | (scores[answered] > 1)).any():
        reason = (
            f"column {prediction!r} has values outside 0 to 1, so they are no probabilities to compare with a label"
        )
        raise UnreadableFileError(path=rows.path, reason=reason)
    known = answered & (labels >= 0)
    counts = count_scores(scores[known], labels[known], threshold=config.prediction.threshold)
    return counts, int((answered & (labels < 0)).sum())
