"""Every metric of the gate, as a value of rows that both models answered and with the error of a difference.

A metric that is a function of means of the rows (a share, F1, RMSE, a cost) leaves each row out once: the jackknife, Efron and
Stein (1981), Annals of Statistics 9, 586. For a mean that is its usual standard error. A metric that depends on the order of the
scores draws the rows again instead: the bootstrap, Efron (1979), Annals of Statistics 7, 1. Both pair the models by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Bools, Floats
from kedge.config.model import ModelConfig
from kedge.outcomes.binary import CALIBRATION_BINS

Numbers = NDArray[np.float64] | NDArray[np.int64]
# The standard error of 400 draws is right within about 4%.
DRAWS, SEED = 400, 0


@dataclass(frozen=True, eq=False)
class Truth:
    """What came true, and what a metric needs beside it.

    Attributes
    ----------
    labels : ndarray, shape (n_rows,)
        1 for the positive class and 0 for the other | codes of classes | numbers.
    threshold : float
        A score at or above it is a positive decision.
    quantile : float
        Which one a regression answers.
    precision : float or None
        What `recall_at_precision` holds.
    places : mapping of str to int
        The code of each class, by its name: for the recall of one class.
    costs : ndarray of float, shape (n_rows,), optional
        Cost of a wrong answer, or of an error of one unit, in each row.
    matrix : tuple of tuples of float
        Cost by class that came true, then by class answered; instead of `costs`.
    """

    labels: Numbers
    threshold: float = 0.5
    quantile: float = 0.5
    precision: float | None = None
    places: Mapping[str, int] = field(default_factory=dict)
    costs: Floats | None = None
    matrix: tuple[tuple[float, ...], ...] = ()

    def at(self, rows: Bools) -> Self:
        """Some of the rows."""
        return replace(self, labels=self.labels[rows], costs=None if self.costs is None else self.costs[rows])


def truth_of(config: ModelConfig, labels: Numbers, costs: Floats | None = None) -> Truth:
    """What came true, with what the YAML says about it."""
    return Truth(
        labels,
        threshold=config.prediction.threshold,
        quantile=config.performance.quantile,
        precision=config.gate.precision_min,
        places={name: place for place, name in enumerate(config.classes)},
        costs=costs,
        matrix=config.performance.cost_matrix,
    )


@dataclass(frozen=True)
class OfMeans:
    """A metric that is a function of means: each row's parts, and the value of such means."""

    parts: Callable[[Truth, Numbers], tuple[Any, ...]]
    value: Callable[..., Any]


# Each row's part in a metric that is a mean; of `accuracy` 1 where wrong.
RowLoss = Callable[[Numbers, Numbers], Floats]


def _log_loss(labels: Numbers, answers: Numbers) -> Floats:
    safe = np.clip(answers, 1e-15, 1 - 1e-15)
    losses: Floats = -np.where(labels == 1, np.log(safe), np.log1p(-safe))
    return losses


def _off(labels: Numbers, answers: Numbers) -> Floats:
    return np.abs(answers - labels).astype(np.float64)


ROW_LOSSES: Mapping[str, RowLoss] = {
    "accuracy": lambda labels, answers: (answers != labels).astype(np.float64),
    "log_loss": _log_loss,
    "mae": _off,
    "brier": lambda labels, answers: _off(labels, answers) ** 2,
}


def _ratio(over: Any, under: Any) -> Any:
    """Nothing of nothing is 0, as scikit-learn's `zero_division`."""
    return np.divide(over, under, out=np.zeros(np.broadcast(over, under).shape), where=np.asarray(under) != 0)


def _decisions(truth: Truth, scores: Numbers) -> tuple[Any, ...]:
    """Rows by decision: true positive, false positive, false negative, true negative."""
    positive, decided = truth.labels == 1, scores >= truth.threshold
    return positive & decided, ~positive & decided, positive & ~decided, ~positive & ~decided


def _by_class(truth: Truth, answers: Numbers) -> tuple[Any, ...]:
    """For each class the rows that are right, that have it, and that are answered with it."""
    size = max([*truth.places.values(), int(truth.labels.max(initial=0))], default=0) + 1
    each = (((answers == code) & (truth.labels == code), truth.labels == code, answers == code) for code in range(size))
    return tuple(part for parts in each for part in parts)


def _f1s(shares: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    right, true, answered = (np.array(shares[n::3]) for n in range(3))
    return _ratio(2 * right, true + answered), true, (true + answered) > 0


def _macro(*shares: Any) -> Any:
    each, _, present = _f1s(shares)
    return each.sum(axis=0) / present.sum(axis=0)


def _weighted(*shares: Any) -> Any:
    each, true, _ = _f1s(shares)
    return (each * true).sum(axis=0)


def _squared(truth: Truth, answers: Numbers) -> Any:
    return (np.asarray(answers, np.float64) - truth.labels) ** 2


def _r2_parts(truth: Truth, answers: Numbers) -> tuple[Any, ...]:
    about = truth.labels - truth.labels.mean()
    return _squared(truth, answers), about, about**2


def _relative(truth: Truth, answers: Numbers) -> tuple[Any, ...]:
    known = truth.labels != 0
    return _ratio(_off(truth.labels, answers), np.abs(truth.labels)), known


def _pinball(truth: Truth, answers: Numbers) -> tuple[Any, ...]:
    below = truth.labels - answers
    return (np.maximum(truth.quantile * below, (truth.quantile - 1) * below),)


def _lost(truth: Truth, answers: Numbers) -> tuple[Any, ...]:
    """What each row's answer costs, and what the costliest answer would."""
    labels, integers = truth.labels, np.issubdtype(truth.labels.dtype, np.integer)
    if truth.matrix:
        two = len(truth.matrix) == 2
        decided: Any = (answers >= truth.threshold).astype(np.int64) if two else np.asarray(answers, np.int64)
        cost = np.array(truth.matrix, np.float64)
        codes = np.asarray(labels, np.int64)
        # An answer that is none of the classes is as dear as the dearest.
        worst = cost.max(axis=1)[codes]
        return np.where(decided >= 0, cost[codes, np.maximum(decided, 0)], worst), worst
    stakes = np.zeros(len(labels)) if truth.costs is None else truth.costs
    if not integers:
        return stakes * _off(labels, answers), stakes
    scores = np.issubdtype(np.asarray(answers).dtype, np.floating)
    decided = (answers >= truth.threshold).astype(np.int64) if scores else answers
    return np.where(decided == labels, 0.0, stakes), stakes


OF_MEANS: Mapping[str, OfMeans] = {
    "precision": OfMeans(_decisions, lambda hit, false, missed, passed: _ratio(hit, hit + false)),
    "recall": OfMeans(_decisions, lambda hit, false, missed, passed: _ratio(hit, hit + missed)),
    "f1": OfMeans(_decisions, lambda hit, false, missed, passed: _ratio(2 * hit, 2 * hit + false + missed)),
    "balanced_accuracy": OfMeans(
        _decisions,
        lambda hit, false, missed, passed: (_ratio(hit, hit + missed) + _ratio(passed, passed + false)) / 2,
    ),
    "macro_f1": OfMeans(_by_class, _macro),
    "weighted_f1": OfMeans(_by_class, _weighted),
    "rmse": OfMeans(lambda truth, answers: (_squared(truth, answers),), np.sqrt),
    "r2": OfMeans(_r2_parts, lambda error, mean, square: 1 - _ratio(error, square - mean**2)),
    "mape": OfMeans(_relative, _ratio),
    "quantile_loss": OfMeans(_pinball, lambda loss: loss),
    "cost_per_thousand": OfMeans(lambda truth, answers: (_lost(truth, answers)[0],), lambda lost: 1000 * lost),
    "cost_adjusted_accuracy": OfMeans(_lost, lambda lost, staked: 1 - _ratio(lost, staked)),
}


def measure_of(metric: str, truth: Truth) -> OfMeans:
    """The metric as a function of means; a name that is none is a `KeyError`."""
    if metric == "accuracy":
        # Of two classes the scores are decided first.
        def wrong(truth: Truth, answers: Numbers) -> tuple[Any, ...]:
            scores = np.issubdtype(np.asarray(answers).dtype, np.floating)
            return (((answers >= truth.threshold) if scores else answers) != truth.labels,)

        return OfMeans(wrong, lambda share: 1 - share)
    if metric in ROW_LOSSES:
        return OfMeans(lambda truth, answers: (ROW_LOSSES[metric](truth.labels, answers),), lambda mean: mean)
    if metric.startswith("recall_") and metric not in SCORED:
        place = 3 * truth.places[metric.removeprefix("recall_")]
        return OfMeans(_by_class, lambda *shares: _ratio(shares[place], shares[place + 1]))
    return OF_MEANS[metric]


def leave_one_out(measure: OfMeans, truth: Truth, answers: Numbers) -> tuple[float, Floats]:
    """The value of all rows, and the value without each of them."""
    parts = [np.asarray(part, np.float64) for part in measure.parts(truth, answers)]
    rows = len(truth.labels)
    value = float(measure.value(*(part.mean() for part in parts)))
    without: Floats = measure.value(*((part.sum() - part) / (rows - 1) for part in parts))
    return value, without


def jackknife_error(without: Floats) -> float:
    """The standard error of a value, from its values without each row.

    >>> rows = np.array([1.0, 2.0, 6.0])
    >>> math.isclose(jackknife_error((rows.sum() - rows) / 2), rows.std(ddof=1) / math.sqrt(3))
    True
    """
    rows = len(without)
    return math.sqrt((rows - 1) / rows * float(((without - without.mean()) ** 2).sum()))


# A metric that depends on the order of the scores: what a draw of the rows, given as the count of each, makes of it.
Drawn = Callable[[Floats], float]


def _by_threshold(truth: Truth, scores: Numbers) -> Callable[[Floats], tuple[Floats, Floats]]:
    """For the counts of a draw: recall and precision at each score from the highest one down."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    ranked, positive = np.asarray(scores)[order], (truth.labels == 1)[order]
    ends = np.append(np.flatnonzero(np.diff(ranked) != 0), len(ranked) - 1)

    def curve(counts: Floats) -> tuple[Floats, Floats]:
        counted = counts[order]
        hits, reached = np.cumsum(counted * positive)[ends], np.cumsum(counted)[ends]
        recall: Floats = _ratio(hits, hits[-1])
        precision: Floats = _ratio(hits, reached)
        return recall, precision

    return curve


def _average_precision(truth: Truth, scores: Numbers) -> Drawn:
    curve = _by_threshold(truth, scores)

    def value(counts: Floats) -> float:
        recall, precision = curve(counts)
        return float((np.diff(recall, prepend=0.0) * precision).sum())

    return value


def _recall_at_precision(truth: Truth, scores: Numbers) -> Drawn:
    curve, least = _by_threshold(truth, scores), truth.precision or 0.0

    def value(counts: Floats) -> float:
        recall, precision = curve(counts)
        return float(recall[precision >= least].max(initial=0.0))

    return value


def _calibration_error(truth: Truth, scores: Numbers) -> Drawn:
    inner = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)[1:-1]
    places, off = np.searchsorted(inner, scores), scores - truth.labels

    def value(counts: Floats) -> float:
        sums = np.bincount(places, weights=counts * off, minlength=CALIBRATION_BINS)
        return float(np.abs(sums).sum() / counts.sum())

    return value


SCORED: Mapping[str, Callable[[Truth, Numbers], Drawn]] = {
    "average_precision": _average_precision,
    "recall_at_precision": _recall_at_precision,
    "expected_calibration_error": _calibration_error,
}


def bootstrap_error(rows: int, values: Callable[[Floats], float]) -> float:
    """The standard error of what a draw of the rows makes; the draws are the same ones each time."""
    random = np.random.default_rng(SEED)
    draws = [
        values(np.bincount(random.integers(0, rows, rows), minlength=rows).astype(np.float64)) for _ in range(DRAWS)
    ]
    return float(np.std(draws, ddof=1))
