"""Measured quality of a binary classifier, from counts that add, against the champion's own reference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.errors import EmptySampleError
from kedge.model_config import PerformancePolicy
from kedge.severity import Severity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# One ruler for every model, so that counts of any two packages add: even steps of log-odds
# resolve a score of 0.0001 as well as one of 0.5.
SCORE_EDGES: Floats = 1.0 / (1.0 + np.exp(-np.linspace(-12.0, 12.0, 2001)))

HIGHER_IS_BETTER = {
    "auc": True, "accuracy": True, "precision": True, "recall": True, "f1": True, "brier": False, "log_loss": False,
}  # fmt: skip


@dataclass(frozen=True)
class ScoreCounts:
    """Labelled scores as counts and sums: all that the binary metrics need.

    Attributes
    ----------
    positive, negative : ndarray of int, shape (2002,)
        Rows of each class per cell of `SCORE_EDGES`.
    true_positive, false_positive, true_negative, false_negative : int
        Rows by decision at the model's threshold.
    squared_error, squared_error_squared, log_loss, log_loss_squared : float
        Sums over rows; the squares carry the variance.
    """

    positive: Ints = field(default_factory=lambda: np.zeros(len(SCORE_EDGES) + 1, np.int64))
    negative: Ints = field(default_factory=lambda: np.zeros(len(SCORE_EDGES) + 1, np.int64))
    true_positive: int = 0
    false_positive: int = 0
    true_negative: int = 0
    false_negative: int = 0
    squared_error: float = 0.0
    squared_error_squared: float = 0.0
    log_loss: float = 0.0
    log_loss_squared: float = 0.0

    @property
    def positives(self) -> int:
        """Rows whose label is the positive class."""
        return int(self.positive.sum())

    @property
    def negatives(self) -> int:
        """Rows whose label is the negative class."""
        return int(self.negative.sum())

    @property
    def rows(self) -> int:
        """Labelled rows."""
        return self.positives + self.negatives

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        return ScoreCounts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def to_json(self) -> dict[str, Any]:
        """As JSON values; the histograms as [cell, rows] pairs."""
        sparse = {
            name: [[int(i), int(getattr(self, name)[i])] for i in np.flatnonzero(getattr(self, name))]
            for name in ("positive", "negative")
        }
        return {f.name: sparse.get(f.name, getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ScoreCounts:
        """The counts that `to_json` wrote."""
        values = dict(data)
        for name in ("positive", "negative"):
            cells = np.zeros(len(SCORE_EDGES) + 1, np.int64)
            for cell, rows in values[name]:
                cells[cell] = rows
            values[name] = cells
        return cls(**values)


def count_scores(scores: Floats, labels: Ints, *, threshold: float) -> ScoreCounts:
    """Count labelled scores.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,)
        Probability of the positive class, 0 to 1.
    labels : ndarray of int, shape (n_rows,)
        1 for the positive class, 0 for the other.
    threshold : float
        A score at or above it is a positive decision.

    >>> count_scores(np.array([0.9, 0.2, 0.6]), np.array([1, 0, 0]), threshold=0.5).false_positive
    1
    """
    cells = np.searchsorted(SCORE_EDGES, scores, side="left")
    positive, decided = labels == 1, scores >= threshold
    squared = (scores - labels) ** 2
    safe = np.clip(scores, 1e-15, 1 - 1e-15)
    logs = -np.where(positive, np.log(safe), np.log1p(-safe))
    size = len(SCORE_EDGES) + 1
    return ScoreCounts(
        positive=np.bincount(cells[positive], minlength=size).astype(np.int64),
        negative=np.bincount(cells[~positive], minlength=size).astype(np.int64),
        true_positive=int((positive & decided).sum()),
        false_positive=int((~positive & decided).sum()),
        true_negative=int((~positive & ~decided).sum()),
        false_negative=int((positive & ~decided).sum()),
        squared_error=float(squared.sum()),
        squared_error_squared=float((squared**2).sum()),
        log_loss=float(logs.sum()),
        log_loss_squared=float((logs**2).sum()),
    )


@dataclass(frozen=True)
class Estimate:
    """A metric with its standard error and its confidence interval."""

    name: str
    value: float
    standard_error: float
    low: float
    high: float


def auc(counts: ScoreCounts) -> tuple[float, float]:
    """Area under the ROC curve and its standard error, ties counted half.

    The Mann-Whitney probability that a positive outranks a negative; the variance is that of the
    placements (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837), both exact for the binned
    scores. A class without rows raises `EmptySampleError`.

    >>> auc(count_scores(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]), threshold=0.5))[0]
    0.75
    """
    positives, negatives = counts.positives, counts.negatives
    if positives == 0 or negatives == 0:
        raise EmptySampleError(sample="positive class" if positives == 0 else "negative class")
    below = (np.cumsum(counts.negative) - counts.negative / 2) / negatives
    above = (np.cumsum(counts.positive[::-1])[::-1] - counts.positive / 2) / positives
    value = float(counts.positive @ below / positives)
    spread_positive = float(counts.positive @ (below - value) ** 2) / max(positives - 1, 1)
    spread_negative = float(counts.negative @ (above - value) ** 2) / max(negatives - 1, 1)
    return value, math.sqrt(spread_positive / positives + spread_negative / negatives)


def metrics(counts: ScoreCounts, *, confidence: float = 0.95) -> dict[str, Estimate]:
    """Every metric that these counts define, by name; what is undefined is absent.

    Intervals: DeLong for AUC, Wilson (1927, JASA 22, 209) for proportions, the delta method on the
    multinomial for F1 (Takahashi et al. 2022, Appl. Intell. 52, 4961), normal for the two mean losses.

    >>> found = metrics(count_scores(np.array([0.9, 0.2, 0.6, 0.1]), np.array([1, 0, 0, 0]), threshold=0.5))
    >>> found["accuracy"].value, found["precision"].value, found["auc"].value
    (0.75, 0.5, 1.0)
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    found: dict[str, Estimate] = {}
    rows = counts.rows
    if rows == 0:
        return found
    if counts.positives and counts.negatives:
        found["auc"] = _normal("auc", *auc(counts), z, 0.0, 1.0)
    tp, fp, fn = counts.true_positive, counts.false_positive, counts.false_negative
    for name, hits, trials in (
        ("accuracy", tp + counts.true_negative, rows), ("precision", tp, tp + fp), ("recall", tp, tp + fn),
    ):  # fmt: skip
        if trials:
            found[name] = _wilson(name, hits, trials, z)
    if tp + fp + fn:
        found["f1"] = _f1(tp, fp + fn, rows, z)
    for name, total, squares in (
        ("brier", counts.squared_error, counts.squared_error_squared),
        ("log_loss", counts.log_loss, counts.log_loss_squared),
    ):
        mean = total / rows
        error = math.sqrt(max(squares / rows - mean**2, 0.0) / rows)
        found[name] = _normal(name, mean, error, z, 0.0, math.inf)
    return found


def _normal(name: str, value: float, error: float, z: float, floor: float, ceiling: float) -> Estimate:
    return Estimate(name, value, error, max(value - z * error, floor), min(value + z * error, ceiling))


def _wilson(name: str, hits: int, trials: int, z: float) -> Estimate:
    share = hits / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    error = math.sqrt(share * (1 - share) / trials)
    return Estimate(name, share, error, max(centre - half, 0.0), min(centre + half, 1.0))


def _f1(hits: int, misses: int, rows: int, z: float) -> Estimate:
    p, q = hits / rows, misses / rows
    by_p, by_q = 2 * q / (2 * p + q) ** 2, -2 * p / (2 * p + q) ** 2
    variance = (by_p**2 * p * (1 - p) + by_q**2 * q * (1 - q) - 2 * by_p * by_q * p * q) / rows
    return _normal("f1", 2 * p / (2 * p + q), math.sqrt(max(variance, 0.0)), z, 0.0, 1.0)


@dataclass(frozen=True)
class PerformanceReport:
    """What the labels say of one window."""

    severity: Severity
    reasons: tuple[str, ...]
    metrics: dict[str, Estimate]
    reference: dict[str, Estimate]
    judged_metric: str
    limit: float | None
    coverage_fraction: float
    ripe_rows: int
    provisional_rows: int
    horizon_reason: str

    def to_json(self) -> dict[str, Any]:
        """As DESIGN.md's report holds it under "performance"."""
        rows = []
        for name, estimate in self.metrics.items():
            row: dict[str, Any] = {
                "name": name, "value": estimate.value, "low": estimate.low, "high": estimate.high,
            }  # fmt: skip
            if name == self.judged_metric and self.limit is not None:
                row |= {"limit": self.limit, "severity": self.severity.value}
            rows.append(row)
        return {
            "severity": self.severity.value,
            "reasons": list(self.reasons),
            "reference": {name: {"value": e.value, "low": e.low, "high": e.high} for name, e in self.reference.items()},
            "metrics": rows,
            "coverage_fraction": self.coverage_fraction,
            "ripe_rows": self.ripe_rows,
            "provisional_rows": self.provisional_rows,
            "label_horizon": self.horizon_reason,
        }


def judge_performance(
    window: ScoreCounts,
    reference: ScoreCounts,
    policy: PerformancePolicy,
    *,
    provisional_rows: int,
    unlabelled_rows: int,
    horizon_reason: str,
) -> PerformanceReport:
    """Judge a window's ripe rows against the champion's out-of-sample reference.

    Quality is lost (CRITICAL) when even the favourable end of the interval of the difference, the
    uncertainty of both sides in it, is worse than the tolerance; it is a WARNING when the difference
    is beyond chance though not beyond the tolerance for certain.

    Parameters
    ----------
    window : ScoreCounts
        Ripe labelled rows.
    reference : ScoreCounts
        Holdout rows of the champion: rows it has not trained on.
    provisional_rows : int
        Labelled rows younger than the horizon: shown, not judged.
    unlabelled_rows : int
        Rows older than the horizon whose label has not come.
    """
    coverage = window.rows / max(window.rows + unlabelled_rows, 1)
    measured = metrics(window, confidence=policy.confidence)
    expected = metrics(reference, confidence=policy.confidence)
    missing = _what_is_missing(window, coverage, policy, measured, expected)
    severity, reasons, limit = Severity.INSUFFICIENT_DATA, missing, None
    if not missing:
        severity, reason, limit = _judge_metric(measured[policy.metric], expected[policy.metric], policy)
        reasons = [reason]
    return PerformanceReport(
        severity, tuple(reasons), measured, expected, policy.metric, limit,
        coverage, window.rows, provisional_rows, horizon_reason,
    )  # fmt: skip


def _what_is_missing(
    window: ScoreCounts,
    coverage: float,
    policy: PerformancePolicy,
    measured: Mapping[str, Estimate],
    expected: Mapping[str, Estimate],
) -> list[str]:
    missing = []
    if window.rows < policy.minimum_rows:
        missing.append(f"{window.rows} ripe labelled rows, {policy.minimum_rows} are needed")
    elif min(window.positives, window.negatives) < policy.minimum_per_class:
        missing.append(
            f"{window.positives} positive and {window.negatives} negative ripe rows, "
            f"{policy.minimum_per_class} of each are needed"
        )
    if window.rows and coverage < policy.coverage_min:
        missing.append(f"labels are in for {coverage:.0%} of the ripe rows, {policy.coverage_min:.0%} are needed")
    if not missing and (policy.metric not in measured or policy.metric not in expected):
        missing.append(f"{policy.metric} is undefined on the window or on its reference")
    return missing


def _judge_metric(measured: Estimate, expected: Estimate, policy: PerformancePolicy) -> tuple[Severity, str, float]:
    sign = 1.0 if HIGHER_IS_BETTER[measured.name] else -1.0
    z = NormalDist().inv_cdf(0.5 + policy.confidence / 2)
    loss = sign * (expected.value - measured.value)
    certain_loss = loss - z * math.hypot(expected.standard_error, measured.standard_error)
    limit = expected.value - sign * policy.tolerance
    words = (
        f"{measured.name} {measured.value:.3f} ({measured.low:.3f} to {measured.high:.3f}) "
        f"against a reference of {expected.value:.3f} less {policy.tolerance:g}"
    )
    if certain_loss > policy.tolerance:
        return Severity.CRITICAL, f"quality is lost: {words}", limit
    if certain_loss > 0:
        return Severity.WARNING, f"quality is lower, though not for certain beyond the tolerance: {words}", limit
    return Severity.OK, f"quality holds: {words}", limit
