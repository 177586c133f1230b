"""Quality of a model of several classes, estimated from their probabilities: each class against the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kedge.answer_counts import AnswerCounts, count_answers
from kedge.binary_counts import BinaryCounts
from kedge.calibration import CalibrationMap, calibration_map
from kedge.expected_metrics import ExpectedRows, expected_metrics
from kedge.intervals import Estimate, normal_interval, z_of

Floats = NDArray[np.float64]
Answers = NDArray[np.float64] | NDArray[np.int64]
# With fewer rows of a class the map is chance.
REFERENCE_ROWS_PER_CLASS = 10
AS_SAID = CalibrationMap(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.zeros(2, np.int64), np.zeros(1), weight=0.0)


@dataclass(frozen=True, eq=False)
class ClassEstimator:
    """Of a model of several classes that gives their probabilities: each class against the others."""

    method: ClassVar[str] = "confidence_based_by_class"

    classes: tuple[str, ...]
    references: tuple[BinaryCounts, ...]

    @cached_property
    def maps(self) -> tuple[CalibrationMap, ...]:
        """The chance of each class's probability; a class of too few rows is taken at its word."""
        return tuple(AS_SAID if too_few(reference) else calibration_map(reference) for reference in self.references)

    def count(self, answers: Answers, probabilities: Floats | None) -> tuple[AnswerCounts, ...]:
        """Count a window's probabilities, class by class."""
        if probabilities is None:
            return ()
        return tuple(count_answers(probabilities[:, k], answers == k) for k in range(len(self.classes)))

    def estimate(self, counts: tuple[AnswerCounts, ...], confidence: float) -> dict[str, Estimate]:
        """Accuracy and each class's recall, and macro F1 where every class is known; the classes' errors are taken as independent."""
        rows = [ExpectedRows.of(*side) for side in zip(counts, self.maps, strict=True)] if counts else []
        if not rows or not rows[0].rows:
            return {}
        total, z = rows[0].rows, z_of(confidence)
        found = [_accuracy(rows, total, z)]
        by_class = [expected_metrics(one, confidence=confidence) for one in rows]
        parts = [one["f1"] for one in by_class if "f1" in one]
        # What a class of which next to nothing is known adds to an average of classes is chance.
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
    """Whether so few rows of a class teach no calibration map.

    >>> too_few(BinaryCounts())
    True
    """
    return min(counts.positives, counts.negatives) < REFERENCE_ROWS_PER_CLASS


def _accuracy(rows: list[ExpectedRows], total: float, z: float) -> Estimate:
    value = sum(float(one.confusion[0]) for one in rows) / total
    errors = (one.error(np.full_like(one.scores, 1 / total), np.zeros_like(one.scores)) for one in rows)
    return normal_interval("accuracy", value, math.sqrt(sum(e**2 for e in errors)), z, floor=0.0, ceiling=1.0)
