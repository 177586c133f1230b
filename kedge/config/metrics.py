"""The metrics of each kind of problem by name, and which way each is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Direction = Literal["higher", "lower", "zero", "same"]

# "zero": a signed deviation that is best at nothing. "same": neither way is better, only a move is told.
DIRECTIONS: Mapping[str, Direction] = {
    "auc": "higher", "average_precision": "higher", "accuracy": "higher", "balanced_accuracy": "higher",
    "precision": "higher", "recall": "higher", "f1": "higher", "brier": "lower", "log_loss": "lower",
    "expected_calibration_error": "lower", "calibration_in_the_large": "zero", "base_rate": "same",
    "macro_f1": "higher", "weighted_f1": "higher",
    "mae": "lower", "rmse": "lower", "mape": "lower", "r2": "higher", "quantile_loss": "lower", "bias": "zero",
    "cost_per_thousand": "lower", "cost_adjusted_accuracy": "higher",
}  # fmt: skip
_COSTS = ("cost_per_thousand", "cost_adjusted_accuracy")
METRICS: Mapping[str, tuple[str, ...]] = {
    "binary_classification": (
        "auc", "average_precision", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "brier", "log_loss",
        "expected_calibration_error", "calibration_in_the_large", "base_rate", *_COSTS,
    ),
    "multiclass_classification": ("accuracy", "macro_f1", "weighted_f1", "log_loss", *_COSTS),
    "regression": ("mae", "rmse", "mape", "r2", "quantile_loss", "bias", *_COSTS[:1]),
}  # fmt: skip
_CLASS_RECALL = "recall_"


def direction(metric: str) -> Direction:
    """Which way a metric is better; a class's own recall is one too.

    >>> direction("brier"), direction("recall_cat")
    ('lower', 'higher')
    """
    return "higher" if metric.startswith(_CLASS_RECALL) else DIRECTIONS[metric]


def known_metrics(problem: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The names that a limit may have.

    >>> known_metrics("multiclass_classification", ("a", "b"))[-2:]
    ('recall_a', 'recall_b')
    """
    own = tuple(f"{_CLASS_RECALL}{name}" for name in classes) if problem == "multiclass_classification" else ()
    return METRICS[problem] + own
