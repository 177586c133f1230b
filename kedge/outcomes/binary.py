"""Two-class outcomes as counts and sums that add, and their metrics, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints
from kedge.errors import EmptySampleError
from kedge.intervals import Estimate, delta_error, mean_interval, normal_interval, wilson_interval, z_of
from kedge.outcomes.costs import CostSums, sums_of
from kedge.outcomes.score_cells import CELL_OF_ONE, CELL_OF_ZERO, cells_of, pack, rank_cells, rank_rows, unpack
from kedge.stored import build, known

CALIBRATION_BINS = 10
_PACKED = ("cells", "positive", "negative")
# scikit-learn's log_loss cuts a double here, so that a certain and wrong answer costs a finite amount.
_EPSILON = float(np.finfo(np.float64).eps)


def _none() -> Ints:
    return np.zeros(0, np.int64)


def _no_bins() -> Floats:
    return np.zeros((3, CALIBRATION_BINS))


@dataclass(frozen=True, eq=False)
class BinaryCounts:
    """Labelled scores as counts and sums.

    Attributes
    ----------
    cells : ndarray of int, shape (n_cells,)
        The cells of `score_cells` that hold rows, ascending.
    positive, negative : ndarray of int, shape (n_cells,)
        Rows of each class in each of them.
    cleared_bits : int
        Last bits of the cells that were cleared to keep at most 2**20 cells: 0 unless there are many rows.
    true_positive, false_positive, true_negative, false_negative : int
        Rows by decision at the model's threshold.
    score, squared_error, squared_error_squared, log_loss, log_loss_squared : float
        Sums over rows; the squares carry the variance.
    bins : ndarray of float, shape (3, 10)
        Rows, positive rows and sum of scores in ten bins of equal width, each closed above.
    costs : CostSums
        From the model's cost column, if it has one.
    """

    problem: ClassVar[Literal["binary_classification"]] = "binary_classification"

    cells: Ints = field(default_factory=_none)
    positive: Ints = field(default_factory=_none)
    negative: Ints = field(default_factory=_none)
    cleared_bits: int = 0
    true_positive: int = 0
    false_positive: int = 0
    true_negative: int = 0
    false_negative: int = 0
    score: float = 0.0
    squared_error: float = 0.0
    squared_error_squared: float = 0.0
    log_loss: float = 0.0
    log_loss_squared: float = 0.0
    bins: Floats = field(default_factory=_no_bins)
    costs: CostSums = field(default_factory=CostSums)

    @cached_property
    def positives(self) -> int:
        """Rows whose label is the positive class."""
        return int(self.positive.sum())

    @cached_property
    def negatives(self) -> int:
        """Rows whose label is the negative class."""
        return int(self.negative.sum())

    @property
    def rows(self) -> int:
        """Labelled rows."""
        return self.positives + self.negatives

    @property
    def by_class(self) -> dict[str, int]:
        """Rows of each class."""
        return {"negative": self.negatives, "positive": self.positives}

    @cached_property
    def decisions_only(self) -> bool:
        """Whether every score is 0 or 1: a class instead of a probability."""
        return bool(((self.cells == CELL_OF_ZERO) | (self.cells == CELL_OF_ONE)).all())

    @property
    def confusion(self) -> Ints:
        """Rows by class that came true, then by class decided, shape (2, 2)."""
        return np.array([[self.true_negative, self.false_positive], [self.false_negative, self.true_positive]])

    def __add__(self, other: BinaryCounts) -> BinaryCounts:
        cells, positive, negative = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in _PACKED)
        ranked = rank_cells(cells, positive, negative, max(self.cleared_bits, other.cleared_bits))
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name not in ranked}
        return BinaryCounts(**ranked, **sums)

    def metrics(self, confidence: float = 0.95) -> dict[str, Estimate]:
        """Every metric of these counts, by name; undefined metrics are absent.

        >>> counts = count_binary(np.array([0.9, 0.2, 0.6, 0.1]), np.array([1, 0, 0, 0]), threshold=0.5)
        >>> found = counts.metrics()
        >>> found["accuracy"].value, found["precision"].value, found["auc"].value
        (0.75, 0.5, 1.0)
        """
        return binary_metrics(self, confidence)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; the histograms packed."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        packed = {name: pack(values[name]) for name in _PACKED}
        return values | packed | {"bins": self.bins.tolist(), "costs": self.costs.to_json(), "problem": self.problem}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BinaryCounts:
        """The counts that `to_json` wrote."""
        values = known(cls, data)
        values |= {name: unpack(values[name]) for name in _PACKED}
        return cls(**values | {"bins": np.array(values["bins"], np.float64), "costs": build(CostSums, values["costs"])})


def count_binary(scores: Floats, labels: Ints, *, threshold: float, costs: Floats | None = None) -> BinaryCounts:
    """Count labelled scores.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,)
        Probability of the positive class, 0 to 1.
    labels : ndarray of int, shape (n_rows,)
        1 for the positive class, 0 for the other.
    threshold : float
        A score at or above it is a positive decision.
    costs : ndarray of float, shape (n_rows,), optional
        Cost of a wrong decision on each row.

    >>> count_binary(np.array([0.9, 0.2, 0.6]), np.array([1, 0, 0]), threshold=0.5).false_positive
    1
    """
    positive, decided = labels == 1, scores >= threshold
    squared = (scores - labels) ** 2
    # A double cannot tell 1 - eps / 2 from 1: both ends are cut as in scikit-learn.
    chance = np.clip(np.where(positive, scores, 1.0 - scores), _EPSILON, 1.0 - _EPSILON)
    logs = -np.log(chance)
    return BinaryCounts(
        **rank_rows(cells_of(scores), positive),
        true_positive=int((positive & decided).sum()),
        false_positive=int((~positive & decided).sum()),
        true_negative=int((~positive & ~decided).sum()),
        false_negative=int((positive & ~decided).sum()),
        score=float(scores.sum()),
        squared_error=float(squared.sum()),
        squared_error_squared=float((squared**2).sum()),
        log_loss=float(logs.sum()),
        log_loss_squared=float((logs**2).sum()),
        bins=_binned(scores, positive),
        costs=CostSums() if costs is None else sums_of(np.where(positive == decided, 0.0, costs), costs),
    )


def _binned(scores: Floats, positive: NDArray[np.bool_]) -> Floats:
    inner = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)[1:-1]
    places = np.searchsorted(inner, scores)
    weights = (None, positive.astype(np.float64), scores)
    return np.array([np.bincount(places, weights=w, minlength=CALIBRATION_BINS) for w in weights], np.float64)


def auc(counts: BinaryCounts) -> tuple[float, float]:
    """Area under the ROC curve and its standard error, ties counted half.

    The Mann-Whitney probability that a positive outranks a negative; the variance is that of the
    placements (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837), both exact for the counted
    scores. A class without rows raises `EmptySampleError`.

    >>> from kedge.outcomes.binary import count_binary
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
    it raises `EmptySampleError`.

    >>> from kedge.outcomes.binary import count_binary
    >>> round(average_precision(count_binary(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]), threshold=0.5))[0], 4)
    0.8333
    """
    positives, _ = _both_classes(counts)
    positive, negative = counts.positive[::-1], counts.negative[::-1]  # the highest score first
    hits, false = np.cumsum(positive), np.cumsum(negative)
    reached = hits + false
    precision = hits / reached
    value = float(positive @ precision / positives)
    # The change that one more row makes at each threshold from its own score down.
    gained = np.cumsum((positive * false / reached**2)[::-1])[::-1]
    lost = np.cumsum((positive * hits / reached**2)[::-1])[::-1]
    rows = counts.rows
    share = positives / rows
    gradient = np.concatenate([precision - value + gained, -lost]) / share
    return value, delta_error(gradient, np.concatenate([positive, negative]) / rows, rows)


def binary_metrics(counts: BinaryCounts, confidence: float) -> dict[str, Estimate]:
    """Every metric of the counts, by name; undefined metrics are absent.

    Intervals: DeLong for AUC, Wilson (1927, JASA 22, 209) for proportions, the delta method on the multinomial for
    average precision, balanced accuracy and F1 (Takahashi et al. 2022, Appl. Intell. 52, 4961), normal for means.
    If the answers are classes instead of probabilities, only metrics of decisions are defined.

    >>> from kedge.outcomes.binary import count_binary
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
        counts.true_positive,
        counts.false_positive,
        counts.false_negative,
        counts.true_negative,
    )
    shares = (
        ("accuracy", hits + passed, counts.rows),
        ("precision", hits, hits + false),
        ("recall", hits, hits + missed),
    )
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
    # The mean square of score minus label is the Brier score.
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

    Naeini, Cooper and Hauskrecht (2015), AAAI, 2901. Chance alone makes it larger than zero, more so with few rows;
    `calibration_in_the_large` (mean score minus rate) has no such bias, but does not see errors that cancel.

    >>> from kedge.outcomes.binary import count_binary
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
