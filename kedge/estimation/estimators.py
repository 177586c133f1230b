"""Quality of a window whose labels are still out, estimated from its answers alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints
from kedge.config.model import ModelConfig
from kedge.estimation.calibration import CalibrationMap, calibration_map
from kedge.estimation.error_bands import ErrorBands, error_bands, expected_errors
from kedge.estimation.expected_metrics import AnswerCounts, ExpectedRows, count_answers, expected_metrics
from kedge.intervals import Estimate, normal_interval, z_of
from kedge.outcomes.binary import BinaryCounts, count_binary
from kedge.outcomes.columns import answer_column
from kedge.outcomes.outcomes import Outcomes, read_probabilities

Answers = NDArray[np.float64] | NDArray[np.int64]
# With fewer rows of a class the map follows chance.
REFERENCE_ROWS_PER_CLASS = 10
AS_SAID = CalibrationMap(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.zeros(2, np.int64), np.zeros(1), weight=0.0)


@dataclass(frozen=True, eq=False)
class ClassEstimator:
    """For a model of several classes that gives their probabilities: each class against the others."""

    method: ClassVar[str] = "confidence_based_by_class"

    classes: tuple[str, ...]
    references: tuple[BinaryCounts, ...]

    @cached_property
    def maps(self) -> tuple[CalibrationMap, ...]:
        """The chance that each class's probability comes true; a class of too few rows keeps its own probabilities."""
        return tuple(AS_SAID if too_few(reference) else calibration_map(reference) for reference in self.references)

    def count(self, answers: Answers, probabilities: Floats | None) -> tuple[AnswerCounts, ...]:
        """Count a window's probabilities, class by class."""
        if probabilities is None:
            return ()
        return tuple(count_answers(probabilities[:, k], answers == k) for k in range(len(self.classes)))

    def estimate(self, counts: tuple[AnswerCounts, ...], confidence: float) -> dict[str, Estimate]:
        """Accuracy and each class's recall, and macro F1 if every class is known; the classes' errors are taken as independent."""
        rows = [ExpectedRows.of(*side) for side in zip(counts, self.maps, strict=True)] if counts else []
        if not rows or not rows[0].rows:
            return {}
        total, z = rows[0].rows, z_of(confidence)
        found = [_accuracy(rows, total, z)]
        by_class = [expected_metrics(one, confidence=confidence) for one in rows]
        parts = [one["f1"] for one in by_class if "f1" in one]
        # A class with almost no rows would add only chance to an average of classes.
        if len(parts) == len(rows) and not any(map(too_few, self.references)):
            error = math.sqrt(sum(part.standard_error**2 for part in parts)) / len(parts)
            value = sum(part.value for part in parts) / len(parts)
            found.append(normal_interval("macro_f1", value, error, z, floor=0.0, ceiling=1.0))
        for name, reference, one in zip(self.classes, self.references, by_class, strict=True):
            if "recall" in one and not too_few(reference):
                recall = one["recall"]
                found.append(Estimate(f"recall_{name}", recall.value, recall.standard_error, recall.low, recall.high))
        return {estimate.name: estimate for estimate in found}

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        references = [reference.to_json() for reference in self.references]
        return {"method": self.method, "classes": list(self.classes), "references": references}


def too_few(counts: BinaryCounts) -> bool:
    """Whether a class has too few rows for a calibration map.

    >>> too_few(BinaryCounts())
    True
    """
    return min(counts.positives, counts.negatives) < REFERENCE_ROWS_PER_CLASS


def _accuracy(rows: list[ExpectedRows], total: float, z: float) -> Estimate:
    value = sum(float(one.confusion[0]) for one in rows) / total
    errors = (one.error(np.full_like(one.scores, 1 / total), np.zeros_like(one.scores)) for one in rows)
    return normal_interval("accuracy", value, math.sqrt(sum(e**2 for e in errors)), z, floor=0.0, ceiling=1.0)


@dataclass(frozen=True, eq=False)
class ScoreEstimator:
    """For a two-class model: the reference's score histogram by class is the calibration map."""

    method: ClassVar[str] = "confidence_based"

    reference: BinaryCounts
    threshold: float

    @classmethod
    def of(cls, reference: BinaryCounts, threshold: float) -> ScoreEstimator | None:
        """From counts of rows that the model has not trained on; None if they are not enough."""
        return None if reference.decisions_only or too_few(reference) else cls(reference, threshold)

    @cached_property
    def map(self) -> CalibrationMap:
        """The chance that each score comes true."""
        return calibration_map(self.reference)

    def count(self, answers: Answers, probabilities: Floats | None = None) -> AnswerCounts:
        """Count a window's scores."""
        return count_answers(answers.astype(np.float64), answers >= self.threshold)

    def estimate(self, counts: AnswerCounts, confidence: float) -> dict[str, Estimate]:
        """Every metric that can be estimated from the counts; none if the answers are classes instead of probabilities."""
        if counts.decisions_only:
            return {}
        return expected_metrics(ExpectedRows.of(counts, self.map), confidence=confidence)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"method": self.method, "reference": self.reference.to_json(), "threshold": self.threshold}


@dataclass(frozen=True, eq=False)
class LossEstimator:
    """For a regression: the reference's error by band of the answer."""

    method: ClassVar[str] = "error_by_band"

    bands: ErrorBands

    def count(self, answers: Answers, probabilities: Floats | None = None) -> Ints:
        """Count a window's answers by band."""
        return self.bands.count(answers.astype(np.float64))

    def estimate(self, counts: Ints, confidence: float) -> dict[str, Estimate]:
        """Expected MAE, RMSE and bias."""
        return expected_errors(self.bands, counts, confidence=confidence)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"method": self.method, "bands": self.bands.to_json()}


Estimator = ScoreEstimator | ClassEstimator | LossEstimator


def fit_estimator(reference: Outcomes, *, threshold: float) -> Estimator | None:
    """Learn from rows that the model has not trained on; None if they are not enough.

    Classes without probabilities are never enough, and neither are rows with enough of fewer than two classes.

    Parameters
    ----------
    threshold : float
        A two-class score at or above it is a positive decision.

    >>> scores = np.tile([0.2, 0.8], 50)
    >>> found = fit_estimator(
    ...     Outcomes("binary_classification", scores, (scores > 0.5).astype(int), ("0", "1")), threshold=0.5
    ... )
    >>> round(found.estimate(found.count(np.array([0.8, 0.2])), 0.95)["base_rate"].value, 2)
    0.5
    """
    if reference.problem == "regression":
        finite = np.isfinite(reference.answers) & np.isfinite(reference.labels)
        answers, labels = (side[finite].astype(np.float64) for side in (reference.answers, reference.labels))
        return LossEstimator(error_bands(answers, labels)) if len(answers) else None
    if reference.problem == "binary_classification":
        scores = reference.answers.astype(np.float64)
        counts = count_binary(scores, reference.labels.astype(np.int64), threshold=threshold)
        return ScoreEstimator.of(counts, threshold)
    if reference.probabilities is None:
        return None
    by_class = tuple(
        count_binary(
            np.clip(reference.probabilities[:, k], 0, 1), (reference.labels == k).astype(np.int64), threshold=0.5
        )
        for k in range(len(reference.classes))
    )
    known = sum(not too_few(counts) for counts in by_class)
    return ClassEstimator(reference.classes, by_class) if known >= 2 else None


@dataclass(frozen=True, eq=False)
class CountedAnswers:
    """Answers as an estimator counts them, labelled or not; they add.

    Attributes
    ----------
    counts : object or None
        What the estimator's `count` gives; None where nothing was counted yet.
    rows : int
        How many answers could be read.
    """

    counts: Any = None
    rows: int = 0

    def __add__(self, other: CountedAnswers) -> CountedAnswers:
        if self.counts is None or other.counts is None:
            return self if other.counts is None else other
        return CountedAnswers(_added(self.counts, other.counts), self.rows + other.rows)

    def estimate(self, estimator: Estimator, confidence: float) -> dict[str, Estimate]:
        """Every metric that can be estimated; none without answers."""
        return estimator.estimate(self.counts, confidence) if self.rows else {}


def count_answered(estimator: Estimator, table: pa.Table, prediction: str, config: ModelConfig) -> CountedAnswers:
    """Count a table's answers; the parameters are those of `estimate_answers`."""
    answers = answer_column(table.column(prediction), config.problem, config.classes)
    probabilities = read_probabilities(table, config)
    known = probabilities[answers.known] if probabilities is not None else None
    return CountedAnswers(estimator.count(answers.values[answers.known], known), int(answers.known.sum()))


def estimate_answers(
    estimator: Estimator, tables: Iterable[pa.Table], prediction: str, config: ModelConfig
) -> tuple[dict[str, Estimate], int]:
    """Estimate quality from answers, labelled or not, and say how many could be read.

    Parameters
    ----------
    tables : iterable of Table
        The answers, in one piece or many, and the columns of `prediction.probabilities` if the model names them.
    prediction : str
        The column with the answers.
    """
    counted = CountedAnswers()
    for table in tables:
        counted += count_answered(estimator, table, prediction, config)
    return counted.estimate(estimator, config.performance.confidence), counted.rows


def _added(first: Any, second: Any) -> Any:
    """Counts of two pieces; with several classes, class by class."""
    if isinstance(first, tuple):
        return tuple(one + other for one, other in zip(first, second, strict=True))
    return first + second


def decode_estimator(data: Mapping[str, Any]) -> Estimator:
    """The estimator that `to_json` wrote.

    >>> bands = LossEstimator(error_bands(np.array([1.0, 2.0]), np.array([1.0, 3.0])))
    >>> decode_estimator(bands.to_json()).bands.absolute.tolist()
    [0.0, 1.0]
    """
    if data["method"] == LossEstimator.method:
        return LossEstimator(ErrorBands.from_json(data["bands"]))
    if data["method"] == ScoreEstimator.method:
        return ScoreEstimator(BinaryCounts.from_json(data["reference"]), data["threshold"])
    return ClassEstimator(tuple(data["classes"]), tuple(map(BinaryCounts.from_json, data["references"])))
