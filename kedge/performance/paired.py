"""How much better one model is than another, on the same rows or each on its own, with the error of that difference."""

from __future__ import annotations

import math

import numpy as np

from kedge.arrays import Floats, Ints
from kedge.config.metrics import direction, find
from kedge.performance.measures import (
    ROW_LOSSES,
    SCORED,
    Numbers,
    Truth,
    bootstrap_error,
    jackknife_error,
    leave_one_out,
    measure_of,
)


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
    return float(by_positive.mean()), _spread(by_positive, by_negative)


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


def metric_value(metric: str, truth: Truth, answers: Numbers) -> float:
    """The metric itself, in its own unit and direction.

    >>> metric_value("accuracy", Truth(np.array([1, 0])), np.array([1, 1])), metric_value("mae", Truth(np.array([1.0])), np.array([3.0]))
    (0.5, 2.0)
    """
    if metric == "auc":
        return metric_estimate(metric, truth, answers)[0]
    if metric in SCORED:
        return SCORED[metric](truth, answers)(np.ones(len(truth.labels)))
    measure = measure_of(metric, truth)
    return float(measure.value(*(np.mean(part) for part in measure.parts(truth, answers))))


def metric_estimate(metric: str, truth: Truth, answers: Numbers) -> tuple[float, float]:
    """The metric of one model, and its standard error.

    >>> metric_estimate("accuracy", Truth(np.array([1, 0, 1, 0])), np.array([1, 1, 1, 1]))[0]
    0.5
    """
    if metric == "auc":
        positive, scores = truth.labels == 1, np.asarray(answers, np.float64)
        of_positive, of_negative = placements(scores[positive], scores[~positive])
        return float(of_positive.mean()), _spread(of_positive, of_negative)
    if metric in SCORED:
        value = SCORED[metric](truth, answers)
        return metric_value(metric, truth, answers), bootstrap_error(len(truth.labels), value)
    found, without = leave_one_out(measure_of(metric, truth), truth, answers)
    return found, jackknife_error(without)


def improvement(metric: str, truth: Truth, challenger: Numbers, champion: Numbers) -> tuple[float, float]:
    """How much better the challenger is in `metric` (positive is better), and the standard error of that difference.

    AUC by `paired_auc_difference`; every other metric by the jackknife or the bootstrap of `kedge.performance.measures`.

    >>> improvement("brier", Truth(np.array([0, 1])), np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    (0.25, 0.0)
    """
    sign = 1.0 if direction(metric) == "higher" else -1.0
    if metric == "auc":
        labels = np.asarray(truth.labels, np.int64)
        return paired_auc_difference(labels, np.asarray(challenger, np.float64), np.asarray(champion, np.float64))
    if metric in SCORED:
        one, other = (SCORED[metric](truth, answers) for answers in (challenger, champion))
        gain = metric_value(metric, truth, challenger) - metric_value(metric, truth, champion)
        return sign * gain, bootstrap_error(len(truth.labels), lambda counts: one(counts) - other(counts))
    measure = measure_of(metric, truth)
    (now, without), (before, without_before) = (
        leave_one_out(measure, truth, answers) for answers in (challenger, champion)
    )
    return sign * (now - before), jackknife_error(without - without_before)


def unpaired_improvement(
    metric: str, challenger: tuple[Truth, Numbers], champion: tuple[Truth, Numbers]
) -> tuple[float, float]:
    """How much better the challenger is (positive is better) where each model answered rows of its own, and the standard error.

    Parameters
    ----------
    challenger, champion : tuple of Truth and ndarray
        What came true of the rows that each answered, and its answers.

    >>> labels = np.array([0, 0, 1, 1])
    >>> good, bad = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> unpaired_improvement("auc", (Truth(labels), good), (Truth(labels), bad))[0]
    0.25
    """
    sign = 1.0 if direction(metric) == "higher" else -1.0
    (now, error), (before, error_before) = (metric_estimate(metric, *side) for side in (challenger, champion))
    rows = len(challenger[0].labels), len(champion[0].labels)
    return sign * (now - before), error_of_difference((error, rows[0]), (error_before, rows[1]))


def error_of_difference(first: tuple[float, int], second: tuple[float, int]) -> float:
    """The standard error of the difference of two means from rows of their own, each given with its error and its rows.

    A row's spread is taken as the larger one of both. A side of few rows on which nothing rare has happened yet would else seem
    to have no error: of models that err in one answer of a hundred, one in five would differ "beyond chance" at some look.

    >>> round(error_of_difference((0.0, 100), (0.01, 900)), 4)
    0.0316
    """
    spread = max(error * math.sqrt(rows) for error, rows in (first, second))
    return spread * math.sqrt(1 / first[1] + 1 / second[1])


def in_its_unit(effect: float, metric: str, truth: Truth, champion: Numbers) -> float:
    """An effect in the metric's unit; an error and a cost have the champion's own as their unit.

    >>> truth, answers = Truth(np.array([10.0, 10.0])), np.array([8.0, 12.0])
    >>> in_its_unit(0.01, "mae", truth, answers), in_its_unit(0.01, "auc", truth, answers)
    (0.02, 0.01)
    """
    known = find(metric)
    relative = known is not None and known.unit in ("label", "cost")
    return effect * abs(metric_value(metric, truth, champion)) if relative else effect


def _spread(of_positive: Floats, of_negative: Floats) -> float:
    return math.sqrt(
        float(np.var(of_positive, ddof=1) / len(of_positive) + np.var(of_negative, ddof=1) / len(of_negative))
    )
