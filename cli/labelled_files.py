"""Measured quality of two files that hold the model's answers beside the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cli.row_files import RowFiles, UnreadableFileError
from kedge.columns import Column, cast_numbers, cast_text
from kedge.model_config import ModelConfig
from kedge.performance import ScoreCounts, count_scores, judge_performance


class StrangeLabelError(UnreadableFileError):
    """A label is none of the model's classes."""

    def __init__(self, *, path: Path, label: str, found: str, classes: tuple[str, ...]) -> None:
        known = " and ".join(map(repr, classes))
        hint = "name the column's own, the one that is predicted last, under labels.classes in a YAML (--config)"
        super().__init__(path=path, reason=f"column {label!r} holds {found!r}, and the classes are {known}; {hint}")


def judge_files(
    baseline: RowFiles, window: RowFiles, config: ModelConfig, columns: tuple[Column, ...], label: str | None
) -> tuple[dict[str, Any] | None, str]:
    """The report's "performance", with the baseline file as the reference; or None, and why there is none."""
    prediction = next((column for column in columns if column.role == "prediction"), None)
    if label is None:
        return None, ""
    why_not = _why_not(prediction, config)
    if prediction is None or why_not:
        return None, f"quality is not judged: {why_not}"
    try:
        before = _counted(baseline, config, prediction.name, label)
    except StrangeLabelError as error:
        return None, f"quality is not judged: {error}"
    # A label that was understood in the baseline and is not any more is a fault of the window.
    now = _counted(window, config, prediction.name, label)
    return judge_performance(
        now[0], before[0], config.performance, provisional_rows=0, unlabelled_rows=now[1],
        horizon_reason="every labelled row of the file counts as ripe",
    ).to_json(), ""  # fmt: skip


def _why_not(prediction: Column | None, config: ModelConfig) -> str:
    if prediction is None:
        return "name the column with the model's answers (--prediction)"
    if config.problem != "binary_classification":
        return f"the model's YAML says {config.problem}, and labels are compared for binary_classification"
    if prediction.kind != "numeric":
        return f"{prediction.name} holds no numbers, and labels are compared with probabilities"
    if len(config.labels.classes) != 2:
        return f"the model's YAML names {len(config.labels.classes)} classes, and two are needed"
    return ""


def _counted(rows: RowFiles, config: ModelConfig, prediction: str, label: str) -> tuple[ScoreCounts, int]:
    """Labelled scores, and the number of rows that have a score and no label."""
    table = rows.read([prediction, label])
    scores = cast_numbers(table.column(prediction), "float64").values
    words = cast_text(table.column(label)).to_pylist()
    spelt = {**{word: i for i, word in enumerate(config.labels.classes)}, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
    strange = sorted({w for w in words if w is not None} - {*spelt, "False", "True"})
    if strange:
        raise StrangeLabelError(path=rows.path, label=label, found=strange[0], classes=config.labels.classes)
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
