"""Metrics of a two-class model, each with its interval, from counts alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kedge.errors import EmptySampleError
from kedge.intervals import Estimate, delta_error, mean_interval, normal_interval, wilson_interval, z_of

if TYPE_CHECKING:
    from kedge.binary_counts import BinaryCounts

Floats = NDArray[np.float64]


def auc(counts: BinaryCounts) -> tuple[float, float]:
    """Area under the ROC curve and its standard error, ties counted half.

    The Mann-Whitney probability that a positive outranks a negative; the variance is that of the
    placements (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837), both exact for the counted
    scores. A class without rows raises `EmptySampleError`.

    >>> from kedge.binary_counts import count_binary
    >>> auc(count_binary(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]), threshold=0.5))[0]
    0.75
    """
    positives, negatives = _both_classes(counts)
    below = (np.cumsum(counts.negative) - counts.negative / 2) / negatives
    above = (np.cumsum(counts.positive[::-1])[::-1] - counts.positive / 2) / positives
    value = float(counts.positive @ below / positives)
    spread_positive = float(counts.positive @ (below - value) ** 2) / max(positives - 1, 1)
    spread_negative = float(counts.negative @ (above - value) ** 2) / max(negatives - 1, 1)
    return value, math.sqrt(spread_positive / positives + spread_negative / negatives)


def average_precision(counts: BinaryCounts) -> tuple[float, float]:
    """Average precision, the sum over thresholds of the recall gained there times the precision there, and its error.

    As scikit-learn defines it, without interpolation. The error is the delta method's on the multinomial of the
    cells: a row changes its own precision and that of every threshold at or below its score. Without positive rows
    `EmptySampleError` is raised.

    >>> from kedge.binary_counts import count_binary
    >>> round(average_precision(count_binary(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]), threshold=0.5))[0], 4)
    0.8333
    """
    positives, _ = _both_classes(counts)
    positive, negative = counts.positive[::-1], counts.negative[::-1]  # the highest score first
    hits, false = np.cumsum(positive), np.cumsum(negative)
    reached = hits + false
    precision = hits / reached
    value = float(positive @ precision / positives)
    # What one row more costs or brings at each threshold from its own score down.
    gained = np.cumsum((positive * false / reached**2)[::-1])[::-1]
    lost = np.cumsum((positive * hits / reached**2)[::-1])[::-1]
    rows = counts.rows
    share = positives / rows
    gradient = np.concatenate([precision - value + gained, -lost]) / share
    return value, delta_error(gradient, np.concatenate([positive, negative]) / rows, rows)


def binary_metrics(counts: BinaryCounts, confidence: float) -> dict[str, Estimate]:
    """Every metric that the counts define, by name; what is undefined is absent.

    Intervals: DeLong for AUC, Wilson (1927, JASA 22, 209) for proportions, the delta method on the multinomial for
    average precision, balanced accuracy and F1 (Takahashi et al. 2022, Appl. Intell. 52, 4961), normal for means.
    Where the answers are classes instead of probabilities, only metrics of decisions are defined.

    >>> from kedge.binary_counts import count_binary
    >>> sorted(binary_metrics(count_binary(np.array([1.0, 0.0]), np.array([1, 1]), threshold=0.5), 0.95))
    ['accuracy', 'base_rate', 'f1', 'precision', 'recall']
    """
    if counts.rows == 0:
        return {}
    z = z_of(confidence)
    found = [*_of_decisions(counts, z), wilson_interval("base_rate", counts.positives, counts.rows, z)]
    if not counts.decisions_only:
        found = [*_of_ranking(counts, z), *found, *_of_probabilities(counts, z)]
    return {estimate.name: estimate for estimate in found}


def _of_ranking(counts: BinaryCounts, z: float) -> list[Estimate]:
    if not counts.positives or not counts.negatives:
        return []
    return [
        normal_interval("auc", *auc(counts), z, floor=0.0, ceiling=1.0),
        normal_interval("average_precision", *average_precision(counts), z, floor=0.0, ceiling=1.0),
    ]


def _of_decisions(counts: BinaryCounts, z: float) -> list[Estimate]:
    hits, false, missed, passed = (
        counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative,
    )  # fmt: skip
    shares = (
        ("accuracy", hits + passed, counts.rows), ("precision", hits, hits + false), ("recall", hits, hits + missed),
    )  # fmt: skip
    found = [wilson_interval(name, right, trials, z) for name, right, trials in shares if trials]
    if counts.positives and counts.negatives:
        recall, specificity = hits / counts.positives, passed / counts.negatives
        spread = recall * (1 - recall) / counts.positives + specificity * (1 - specificity) / counts.negatives
        value = (recall + specificity) / 2
        found.append(normal_interval("balanced_accuracy", value, math.sqrt(spread) / 2, z, floor=0.0, ceiling=1.0))
    if hits + false + missed:
        found.append(_f1(hits, false + missed, counts.rows, z))
    return found


def _f1(hits: int, misses: int, rows: int, z: float) -> Estimate:
    p, q = hits / rows, misses / rows
    gradient = np.array([2 * q, -2 * p]) / (2 * p + q) ** 2
    error = delta_error(gradient, np.array([p, q]), rows)
    return normal_interval("f1", 2 * p / (2 * p + q), error, z, floor=0.0, ceiling=1.0)


def _of_probabilities(counts: BinaryCounts, z: float) -> list[Estimate]:
    rows = counts.rows
    too_high = (counts.score - counts.positives) / rows
    # A row's score less its label has the Brier score as its mean square, whatever is subtracted from it.
    spread = math.sqrt(max(counts.squared_error / rows - too_high**2, 0.0) / rows)
    gap = calibration_error(counts)
    spread_of_gap = math.sqrt(max(counts.squared_error / rows - gap**2, 0.0) / rows)
    return [
        mean_interval("brier", counts.squared_error, counts.squared_error_squared, rows, z, floor=0.0),
        mean_interval("log_loss", counts.log_loss, counts.log_loss_squared, rows, z, floor=0.0),
        normal_interval("expected_calibration_error", gap, spread_of_gap, z, floor=0.0, ceiling=1.0),
        normal_interval("calibration_in_the_large", too_high, spread, z, floor=-1.0, ceiling=1.0),
    ]


def calibration_error(counts: BinaryCounts) -> float:
    """Expected calibration error over ten bins of equal width: the row-weighted mean of |mean score - rate|.

    Naeini, Cooper and Hauskrecht (2015), AAAI, 2901. Chance alone makes it larger than zero, the more the fewer the
    rows; `calibration_in_the_large` (mean score less rate) has no such bias, but does not see errors that cancel.

    >>> from kedge.binary_counts import count_binary
    >>> round(calibration_error(count_binary(np.array([0.9, 0.9, 0.2, 0.2]), np.array([1, 0, 0, 0]), threshold=0.5)), 2)
    0.3
    """
    _, positives, scores = counts.bins
    return float(np.abs(scores - positives).sum()) / max(counts.rows, 1)


def _both_classes(counts: BinaryCounts) -> tuple[int, int]:
    positives, negatives = counts.positives, counts.negatives
    if positives == 0 or negatives == 0:
        raise EmptySampleError(sample="positive class" if positives == 0 else "negative class")
    return positives, negatives
