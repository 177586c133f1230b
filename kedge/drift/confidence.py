"""The answers' confidence, from the histogram of scores or margins: a derived column, judged like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kedge.arrays import Floats, Ints
from kedge.columns.casting import Column
from kedge.comparisons import figures, percent
from kedge.config.model import ModelConfig
from kedge.drift.column import ColumnReport
from kedge.drift.evidence import ColumnEvidence
from kedge.profile.baseline import ColumnCounts
from kedge.profile.bins import Bins
from kedge.severity import Severity

CONFIDENCE = "confidence"
# A score this near the threshold could just as well have been decided the other way.
NEAR_THRESHOLD = 0.1
POINTS = 8


@dataclass(frozen=True)
class AnswerConfidence:
    """The confidence of a window's answers, counted and not judged yet.

    Attributes
    ----------
    margin : ColumnEvidence
        Rows by margin: 0 if another class was just as likely, 1 if the model is certain.
    measured : mapping of str to tuple of float
        Baseline, then window: `mean_margin`, `near_threshold_fraction` (with two classes, scores within `NEAR_THRESHOLD`
        of the threshold; with several, such margins), and with two classes `mean_entropy` in bits, 1 at a score of a half.
    """

    margin: ColumnEvidence
    measured: Mapping[str, tuple[float, float]]

    def judged(self, column: ColumnReport) -> ConfidenceReport:
        """The report with the margin's drift test."""
        return ConfidenceReport(column, self.measured)


@dataclass(frozen=True)
class ConfidenceReport:
    """The window's confidence beside the baseline's.

    Attributes
    ----------
    column : ColumnReport
        Of the margin: its drift test, corrected with those of the other columns.
    measured : mapping of str to tuple of float
        See `AnswerConfidence`.
    """

    column: ColumnReport
    measured: Mapping[str, tuple[float, float]]

    @property
    def severity(self) -> Severity:
        """Severity of the drift test if the margin has fallen: a model that is more certain than before raises no alarm here."""
        before, now = self.measured["mean_margin"]
        return min(self.column.drift, Severity.OK) if now >= before else self.column.drift

    @property
    def reason(self) -> str:
        """How the confidence changed, in words."""
        margins, shares = self.measured["mean_margin"], self.measured["near_threshold_fraction"]
        before, now = figures(*margins)
        return (
            f"confidence: the mean margin moved from {before} to {now}, the share of answers within {NEAR_THRESHOLD:g} "
            f"of another from {percent(shares[0])} to {percent(shares[1])}"
        )

    def to_json(self) -> dict[str, Any]:
        """As the report holds it under "confidence"; what does not apply is absent."""
        pairs = {name: dict(zip(("baseline", "window"), pair, strict=True)) for name, pair in self.measured.items()}
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


def answer_confidence(evidence: Sequence[ColumnEvidence], config: ModelConfig) -> AnswerConfidence | None:
    """The answers' confidence; None if they have no probabilities: a class alone has no confidence.

    With two classes it is the prediction's cells folded at the threshold, with several the counted `margin_column`.

    Parameters
    ----------
    evidence : sequence of ColumnEvidence
        Of every column.
    """
    answers = {one.column.name: one for one in evidence if one.column.role == "prediction"}
    found = answers.get(config.margin_column) if config.margin_column else next(iter(answers.values()), None)
    if found is None:
        return None
    if config.margin_column:
        return AnswerConfidence(found, _both(found, {"mean_margin": _itself, "near_threshold_fraction": _is_small}))
    threshold, edges = config.prediction.threshold, found.bins.edges
    # An atom has two edges, the lower one just below it: two atoms are classes.
    if config.problem != "binary_classification" or len(edges) <= 4 or edges[0] < -1e-9 or edges[-1] > 1.0:
        return None
    measured = {
        "mean_margin": lambda scores: margins(scores, threshold),
        "mean_entropy": entropy_bits,
        "near_threshold_fraction": lambda scores: _is_small(np.abs(scores - threshold)),
    }
    return AnswerConfidence(confidence_evidence(found, threshold), _both(found, measured))


def _itself(margin: Floats) -> Floats:
    return margin


def _is_small(distance: Floats) -> Floats:
    return (distance <= NEAR_THRESHOLD).astype(np.float64)


def _both(
    counted: ColumnEvidence, measured: Mapping[str, Callable[[Floats], Floats]]
) -> dict[str, tuple[float, float]]:
    """The means over the rows of both sides."""
    points = _points(counted.bins)
    sides = [counts.cells / max(counts.cells.sum(), 1) for counts in (counted.before, counted.now)]
    found = {name: of(points).mean(axis=1) for name, of in measured.items()}
    return {name: (float(sides[0] @ cells), float(sides[1] @ cells)) for name, cells in found.items()}


def _points(bins: Bins) -> Floats:
    """Scores spread evenly over each cell, shape (n_cells, POINTS): a cell is wide if the baseline had few rows there."""
    edges = bins.edges
    low, high = np.concatenate([edges[:1], edges]), np.concatenate([edges, edges[-1:]])
    share = (np.arange(POINTS) + 0.5) / POINTS
    points: Floats = np.clip(low[:, None] + (high - low)[:, None] * share, 0.0, 1.0)
    return points


def _folded(counts: ColumnCounts, found: Floats, place: Ints, size: int) -> ColumnCounts:
    cells = np.bincount(place, weights=counts.cells, minlength=size)

    def means() -> Floats:
        total = np.bincount(place, weights=counts.cells * found, minlength=size)
        return np.asarray(np.divide(total, cells, out=np.full(size, np.nan), where=cells > 0))

    return ColumnCounts(
        cells.astype(np.int64), counts.missing, counts.unparsable, counts.infinite, counts.unseen, 0, means
    )
