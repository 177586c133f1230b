"""How sure the answers are, from the prediction's own histogram: a derived column that is judged like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.baseline import ColumnCounts
from kedge.binning import Bins
from kedge.column_drift import ColumnReport
from kedge.column_evidence import ColumnEvidence
from kedge.columns import Column
from kedge.model_config import ModelConfig
from kedge.severity import Severity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CONFIDENCE = "confidence"
# A score this near the threshold could as well have been decided the other way.
NEAR_THRESHOLD = 0.1
POINTS = 8


@dataclass(frozen=True)
class ConfidenceReport:
    """The window's confidence beside the baseline's.

    Attributes
    ----------
    column : ColumnReport
        Of the margin: its drift test, corrected with those of the other columns.
    mean_margin, mean_entropy, near_threshold_fraction : tuple of float
        Baseline, then window. The margin is 0 at the threshold and 1 where the model is certain; the entropy is in
        bits, 0 where it is certain and 1 at a score of a half.
    """

    column: ColumnReport
    mean_margin: tuple[float, float]
    mean_entropy: tuple[float, float]
    near_threshold_fraction: tuple[float, float]

    @property
    def severity(self) -> Severity:
        """That of the drift test where the margin has fallen: a model that is surer than before raises no alarm here."""
        moved = self.column.drift
        return min(moved, Severity.OK) if self.mean_margin[1] >= self.mean_margin[0] else moved

    @property
    def reason(self) -> str:
        """What became of it, in words."""
        margins, shares = self.mean_margin, self.near_threshold_fraction
        return (
            f"confidence: the mean margin moved from {margins[0]:.3f} to {margins[1]:.3f}, the share of scores within "
            f"{NEAR_THRESHOLD:g} of the threshold from {shares[0]:.1%} to {shares[1]:.1%}"
        )

    def to_json(self) -> dict[str, Any]:
        """As the report holds it under "confidence"; what does not apply is absent."""
        measured = ("mean_margin", "mean_entropy", "near_threshold_fraction")
        pairs = {name: dict(zip(("baseline", "window"), getattr(self, name), strict=True)) for name in measured}
        tested = ("p_value_adjusted", "effect", "effect_without_drift", "smallest_detectable_effect")
        found = {name: getattr(self.column, name) for name in tested if getattr(self.column, name) is not None}
        return {"severity": self.severity.value, "reason": self.reason, **pairs, **found}


def margins(scores: Floats, threshold: float) -> Floats:
    """Distance from the threshold as a share of the way to certainty, 0 to 1.

    >>> margins(np.array([0.0, 0.3, 0.65, 1.0]), 0.3).round(2).tolist()
    [1.0, 0.0, 0.5, 1.0]
    """
    room = np.where(scores >= threshold, 1.0 - threshold, threshold)
    return np.abs(scores - threshold) / np.where(room > 0, room, 1.0)


def entropy_bits(scores: Floats) -> Floats:
    """Entropy of a two-class answer in bits: Shannon (1948), Bell Syst. Tech. J. 27, 379.

    >>> entropy_bits(np.array([0.0, 0.5, 1.0])).tolist()
    [0.0, 1.0, 0.0]
    """
    safe = np.clip(scores, 1e-12, 1.0 - 1e-12)
    bits: Floats = -(safe * np.log2(safe) + (1.0 - safe) * np.log2(1.0 - safe))
    return np.where((scores <= 0) | (scores >= 1), 0.0, bits)


def confidence_evidence(prediction: ColumnEvidence, threshold: float) -> ColumnEvidence:
    """Fold the prediction's cells at the threshold: rows by margin, on both sides, cut alike.

    Parameters
    ----------
    prediction : ColumnEvidence
        Of a probability, cut with the baseline's edges.
    """
    found = margins(_points(prediction.bins), threshold).mean(axis=1)
    values, place = np.unique(found.round(12), return_inverse=True)
    before, now = (_folded(counts, found, place, len(values)) for counts in (prediction.before, prediction.now))
    # Cell i holds edges[i-1] < margin <= edges[i]: the last cell needs no edge.
    column, bins = Column(CONFIDENCE, "prediction", "numeric", "float64"), Bins(edges=values[:-1])
    return ColumnEvidence(column, bins, before, now, prediction.design_effect)


def confidence_report(prediction: ColumnEvidence, column: ColumnReport, threshold: float) -> ConfidenceReport:
    """Put the judged margin beside what else says how sure the answers are."""
    sides = [_sure(counts, prediction.bins, threshold) for counts in (prediction.before, prediction.now)]
    return ConfidenceReport(column, *zip(*sides, strict=True))


def folded_prediction(
    evidence: Sequence[ColumnEvidence], config: ModelConfig
) -> tuple[ColumnEvidence, ColumnEvidence] | None:
    """The prediction and its fold; None where it is no probability of more than two different values.

    A class has no confidence, and of several classes the answer alone does not hold it.
    """
    found = next((one for one in evidence if one.column.role == "prediction"), None)
    if found is None or config.problem != "binary_classification" or found.column.kind != "numeric":
        return None
    edges = found.bins.edges
    # An atom has two edges, the lower one just below it.
    if len(edges) <= 4 or edges[0] < -1e-9 or edges[-1] > 1.0:
        return None
    return found, confidence_evidence(found, config.prediction.threshold)


def _points(bins: Bins) -> Floats:
    """Scores spread evenly over each cell, shape (n_cells, POINTS): where the baseline had few rows a cell is wide."""
    edges = bins.edges
    low, high = np.concatenate([edges[:1], edges]), np.concatenate([edges, edges[-1:]])
    share = (np.arange(POINTS) + 0.5) / POINTS
    points: Floats = np.clip(low[:, None] + (high - low)[:, None] * share, 0.0, 1.0)
    return points


def _sure(counts: ColumnCounts, bins: Bins, threshold: float) -> tuple[float, float, float]:
    """Mean margin, mean entropy, fraction near the threshold."""
    scores, shares = _points(bins), counts.cells / max(counts.cells.sum(), 1)
    near = (np.abs(scores - threshold) <= NEAR_THRESHOLD).astype(np.float64)
    measured = (margins(scores, threshold), entropy_bits(scores), near)
    found = [float(shares @ what.mean(axis=1)) for what in measured]
    return found[0], found[1], found[2]


def _folded(counts: ColumnCounts, found: Floats, place: Ints, size: int) -> ColumnCounts:
    cells = np.bincount(place, weights=counts.cells, minlength=size)
    total = np.bincount(place, weights=counts.cells * found, minlength=size)
    means = np.divide(total, cells, out=np.full(size, np.nan), where=cells > 0)
    return ColumnCounts(
        cells.astype(np.int64), counts.missing, counts.unparsable, counts.infinite, counts.unseen, 0, means
    )
