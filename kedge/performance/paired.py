"""How much better one model is than another on the same rows, with the error of that difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints
from kedge.config.metrics import direction

Numbers = NDArray[np.float64] | NDArray[np.int64]


def paired_auc_difference(labels: Ints, challenger: Floats, champion: Floats) -> tuple[float, float]:
    """The challenger's AUC minus the champion's on the same rows, and its standard error.

    The variance of paired placements: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837.
    Both classes must be present.

    Parameters
    ----------
    labels : ndarray of int, shape (n_rows,)
        1 for the positive class, 0 for the other.
    challenger, champion : ndarray of float, shape (n_rows,)
        Scores of the same rows.

    >>> labels = np.array([0, 0, 1, 1])
    >>> paired_auc_difference(labels, np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.1, 0.4, 0.35, 0.8]))[0]
    0.25
    """
    positive = labels == 1
    of_challenger = placements(challenger[positive], challenger[~positive])
    of_champion = placements(champion[positive], champion[~positive])
    by_positive, by_negative = (a - b for a, b in zip(of_challenger, of_champion, strict=True))
    variance = np.var(by_positive, ddof=1) / len(by_positive) + np.var(by_negative, ddof=1) / len(by_negative)
    return float(by_positive.mean()), math.sqrt(float(variance))


def placements(positives: Floats, negatives: Floats) -> tuple[Floats, Floats]:
    """Share of the other class that each positive row outranks, or that outranks each negative row; a tie counts half.

    >>> placements(np.array([0.8]), np.array([0.1, 0.9]))[0].tolist()
    [0.5]
    """
    return _share_below(positives, negatives), 1.0 - _share_below(negatives, positives)


def _share_below(values: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (left + right) / (2 * len(others))


def row_losses(metric: str, labels: Numbers, answers: Numbers) -> Floats:
    """Each row's part in a metric that is a mean: `accuracy` (1 where wrong) or a metric that is itself a mean loss.

    >>> row_losses("mae", np.array([1.0, 4.0]), np.array([2.0, 4.0])).tolist()
    [1.0, 0.0]
    """
    return ROW_LOSSES[metric](labels, answers)


def _log_loss(labels: Numbers, answers: Numbers) -> Floats:
    safe = np.clip(answers, 1e-15, 1 - 1e-15)
    losses: Floats = -np.where(labels == 1, np.log(safe), np.log1p(-safe))
    return losses


def _off(labels: Numbers, answers: Numbers) -> Floats:
    return np.abs(answers - labels).astype(np.float64)


# What the gate compares two models by, and what ranks features (`kedge.config.metrics`), all but `auc`, which is no mean.
ROW_LOSSES: Mapping[str, Callable[[Numbers, Numbers], Floats]] = {
    "accuracy": lambda labels, answers: (answers != labels).astype(np.float64),
    "log_loss": _log_loss,
    "mae": _off,
    "brier": lambda labels, answers: _off(labels, answers) ** 2,
}


def metric_value(metric: str, labels: Numbers, answers: Numbers) -> float:
    """The metric itself, in its own unit and direction: for a report, beside `improvement`.

    >>> metric_value("accuracy", np.array([1, 0]), np.array([1, 1])), metric_value("mae", np.array([1.0]), np.array([3.0]))
    (0.5, 2.0)
    """
    if metric == "auc":
        positive, scores = labels == 1, np.asarray(answers, np.float64)
        return float(placements(scores[positive], scores[~positive])[0].mean())
    mean = float(row_losses(metric, labels, answers).mean())
    return 1.0 - mean if direction(metric) == "higher" else mean


def improvement(metric: str, labels: Numbers, challenger: Numbers, champion: Numbers) -> tuple[float, float]:
    """How much better the challenger is in `metric` (positive is better), and the standard error.

    AUC by `paired_auc_difference`; every other metric by the mean of the rows' paired differences in loss.

    >>> improvement("brier", np.array([0, 1]), np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    (0.25, 0.0)
    """
    if metric == "auc":
        return paired_auc_difference(
            np.asarray(labels, np.int64), np.asarray(challenger, np.float64), np.asarray(champion, np.float64)
        )
    gain = row_losses(metric, labels, champion) - row_losses(metric, labels, challenger)
    return float(gain.mean()), float(gain.std(ddof=1) / math.sqrt(len(gain)))
