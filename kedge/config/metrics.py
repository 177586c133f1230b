"""Every metric in one table: all that is known of it but its formula. What judges or tells a metric reads it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from kedge.config.sections import Problem

# "zero": a signed deviation that is best at nothing. "same": neither way is better, only a move is told.
Direction = Literal["higher", "lower", "zero", "same"]
# "label": the label's own, so that only a relative change can be compared between models.
Unit = Literal["fraction", "nats", "label", "cost"]


@dataclass(frozen=True)
class Metric:
    """One metric of one kind of problem.

    Attributes
    ----------
    limit : mapping of str to float
        The `PerformanceLimit` that it has where the YAML names no limits; most metrics have none.
    decision_limit : mapping of str to float
        The limit that replaces all others where the answers are classes without probabilities.
    measured, estimated : bool
        Whether it is computed from labels | estimated from answers alone.
    gate : bool
        Whether the gate can compare two models by it: then `kedge.performance.measures` has it, as `auc` need not. The
        first such metric of each problem is the default.
    over_all_rows : bool
        Whether every row counts alike, so that few rows of one class do not make it uncertain.
    ranks_features : bool
        Whether the features are ranked by how much its loss grows under permutation. The loss is defined for a single
        row, and bounded where one row could outweigh all others.
    classes_alike : bool
        Whether it is an average over classes in which a rare class weighs like any other, so that few rows of one decide it.
    each_class : bool
        Whether each class has its own: its name is this name and the class.
    notable : float or None
        The smallest loss against the reference that people are told of, as a fraction of the reference's own value; None
        for what has no better side.
    notable_of : str
        The reference's metric that the loss is a fraction of, where its own value may be nothing.
    """

    problem: Problem
    name: str
    better: Direction
    unit: Unit = "fraction"
    limit: Mapping[str, float] = field(default_factory=dict)
    decision_limit: Mapping[str, float] = field(default_factory=dict)
    measured: bool = True
    estimated: bool = False
    gate: bool = False
    over_all_rows: bool = False
    ranks_features: bool = False
    each_class: bool = False
    classes_alike: bool = False
    notable: float | None = None
    notable_of: str = ""


_BINARY: Problem = "binary_classification"
_CLASSES: Problem = "multiclass_classification"
_NUMBERS: Problem = "regression"
TABLE = (
    Metric(_BINARY, "auc", "higher", limit={"tolerance": 0.02}, estimated=True, gate=True, notable=0.05),
    Metric(_BINARY, "average_precision", "higher", gate=True, notable=0.2),
    Metric(_BINARY, "accuracy", "higher", estimated=True, over_all_rows=True, gate=True, notable=0.05),
    Metric(
        _BINARY,
        "balanced_accuracy",
        "higher",
        classes_alike=True,
        decision_limit={"tolerance": 0.02},
        estimated=True,
        gate=True,
        notable=0.05,
    ),
    Metric(_BINARY, "precision", "higher", estimated=True, gate=True, notable=0.2),
    Metric(_BINARY, "recall", "higher", estimated=True, gate=True, notable=0.2),
    Metric(_BINARY, "recall_at_precision", "higher", measured=False, gate=True),
    Metric(_BINARY, "specificity", "higher", measured=False, estimated=True),
    Metric(_BINARY, "f1", "higher", estimated=True, gate=True, notable=0.2),
    Metric(_BINARY, "brier", "lower", estimated=True, gate=True, over_all_rows=True, ranks_features=True, notable=0.2),
    Metric(_BINARY, "log_loss", "lower", "nats", estimated=True, gate=True, over_all_rows=True, notable=0.2),
    Metric(_BINARY, "expected_calibration_error", "lower", gate=True, notable=1.0),
    Metric(
        _BINARY,
        "calibration_in_the_large",
        "zero",
        limit={"tolerance": 0.15},
        over_all_rows=True,
        notable=0.2,
        notable_of="base_rate",
    ),
    Metric(_BINARY, "base_rate", "same", estimated=True, over_all_rows=True),
    Metric(_BINARY, "cost_per_thousand", "lower", "cost", over_all_rows=True, gate=True, notable=0.2),
    Metric(_BINARY, "cost_adjusted_accuracy", "higher", gate=True, notable=0.05),
    Metric(
        _CLASSES,
        "accuracy",
        "higher",
        limit={"tolerance": 0.02},
        estimated=True,
        gate=True,
        ranks_features=True,
        notable=0.05,
    ),
    Metric(_CLASSES, "macro_f1", "higher", classes_alike=True, estimated=True, gate=True, notable=0.1),
    Metric(_CLASSES, "weighted_f1", "higher", gate=True, notable=0.05),
    Metric(_CLASSES, "log_loss", "lower", "nats", notable=0.2),
    Metric(_CLASSES, "cost_per_thousand", "lower", "cost", gate=True, notable=0.2),
    Metric(_CLASSES, "cost_adjusted_accuracy", "higher", gate=True, notable=0.05),
    Metric(_CLASSES, "recall_", "higher", estimated=True, each_class=True, gate=True, notable=0.2),
    Metric(
        _NUMBERS,
        "mae",
        "lower",
        "label",
        limit={"ratio": 1.1},
        estimated=True,
        gate=True,
        ranks_features=True,
        notable=0.1,
    ),
    Metric(_NUMBERS, "rmse", "lower", "label", estimated=True, gate=True, notable=0.2),
    Metric(_NUMBERS, "mape", "lower", gate=True, notable=0.2),
    Metric(_NUMBERS, "r2", "higher", gate=True, notable=0.1),
    Metric(_NUMBERS, "quantile_loss", "lower", "label", gate=True, notable=0.1),
    Metric(_NUMBERS, "bias", "zero", "label", estimated=True, notable=0.2, notable_of="rmse"),
    Metric(_NUMBERS, "cost_per_thousand", "lower", "cost", gate=True, notable=0.2),
)
# Each has one value, however many classes there are.
ONE_VALUE = frozenset(metric.name for metric in TABLE if not metric.each_class)


def metrics_of(problem: str) -> tuple[Metric, ...]:
    """A problem's lines of the table, in its order."""
    return tuple(metric for metric in TABLE if metric.problem == problem)


@lru_cache(maxsize=1024)
def find(name: str, problem: str | None = None) -> Metric | None:
    """A line of this name, or of the class whose name follows; of any problem unless one is named. None where there is none.

    >>> find("brier").better, find("recall_cat").each_class, find("revenue"), find("brier", "regression")
    ('lower', True, None, None)
    """
    lines = [metric for metric in TABLE if problem in (None, metric.problem)]
    by_class = (metric for metric in lines if metric.each_class and name.startswith(metric.name))
    return next((metric for metric in lines if metric.name == name), None) or next(by_class, None)


def direction(name: str) -> Direction:
    """Which way a metric is better; a name that the table does not have is a `KeyError`.

    >>> direction("brier"), direction("recall_cat")
    ('lower', 'higher')
    """
    metric = find(name)
    if metric is None:
        raise KeyError(name)
    return metric.better


def range_of(name: str, problem: str | None = None) -> tuple[float | None, float | None]:
    """The smallest and the largest value that a metric can have; None where it has none. Other figures may have any value.

    >>> range_of("auc"), range_of("mae"), range_of("r2"), range_of("bias"), range_of("revenue")
    ((0.0, 1.0), (0.0, None), (None, 1.0), (None, None), (None, None))
    """
    metric = find(name, problem)
    if metric is None or metric.unit == "cost" or (metric.better == "zero" and metric.unit == "label"):
        return None, None
    if metric.better == "zero":
        return -1.0, 1.0
    if metric.name == "r2":
        return None, 1.0
    return 0.0, 1.0 if metric.unit == "fraction" and metric.name != "mape" else None


def known_metrics(problem: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The names that a limit may have.

    >>> known_metrics("multiclass_classification", ("a", "b"))[-2:]
    ('recall_a', 'recall_b')
    """
    measured = [metric for metric in metrics_of(problem) if metric.measured]
    return tuple(
        name
        for metric in measured
        for name in ([f"{metric.name}{one}" for one in classes] if metric.each_class else [metric.name])
    )


def gate_metrics(problem: str, classes: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What the gate can compare two models by; the first is the default.

    >>> gate_metrics("multiclass_classification", ("a", "b"))[-2:], gate_metrics("binary_classification")[0]
    (('recall_a', 'recall_b'), 'auc')
    """
    return tuple(
        name
        for metric in metrics_of(problem)
        if metric.gate
        for name in ([f"{metric.name}{one}" for one in classes] if metric.each_class else [metric.name])
    )
