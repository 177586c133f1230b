"""Errors of a regression as sums that add, and the metrics that they define."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from kedge.cost_sums import CostSums, sums_of
from kedge.intervals import Estimate, mean_interval, normal_interval, z_of
from kedge.label_moments import LabelMoments, moments_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ErrorCounts:
    """Labelled answers of a regression; an error is the answer less the truth.

    Attributes
    ----------
    rows : int
    error, absolute_error, squared_error, squared_error_squared : float
        Sums of e, |e|, e^2, e^4.
    quantile_loss, quantile_loss_squared : float
        Sums of the pinball loss at the model's quantile, and of its square.
    relative_rows : int
        Rows whose truth is not 0.
    relative_error, relative_error_squared : float
        Sums of |e / truth| over them, and of its square.
    labels : LabelMoments
        Moments of the truth and of the errors with it, about their own mean.
    costs : CostSums
        Of the model's cost column, where it has one.
    """

    problem: ClassVar[Literal["regression"]] = "regression"

    rows: int = 0
    error: float = 0.0
    absolute_error: float = 0.0
    squared_error: float = 0.0
    squared_error_squared: float = 0.0
    quantile_loss: float = 0.0
    quantile_loss_squared: float = 0.0
    relative_rows: int = 0
    relative_error: float = 0.0
    relative_error_squared: float = 0.0
    labels: LabelMoments = field(default_factory=LabelMoments)
    costs: CostSums = field(default_factory=CostSums)

    @property
    def by_class(self) -> dict[str, int]:
        """A regression has no classes."""
        return {}

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def metrics(self, confidence: float = 0.95) -> dict[str, Estimate]:
        """MAE, RMSE, R2, quantile loss, bias (mean error) and MAPE, each with its interval by the central limit.

        RMSE's is the root of that of the mean square; R2's is the delta method's on both of its means. MAPE is over
        the rows whose truth is not 0, as a fraction. What overflows or is undefined is absent.

        >>> found = count_errors(np.array([2.0, 3.0, 5.0]), np.array([1.0, 3.0, 4.0])).metrics()
        >>> found["bias"].value == found["mae"].value, round(found["r2"].value, 3)
        (True, 0.571)
        """
        if self.rows == 0:
            return {}
        z, rows = z_of(confidence), self.rows
        found = [
            mean_interval("mae", self.absolute_error, self.squared_error, rows, z, floor=0.0),
            self._root_mean_square(z),
            mean_interval("quantile_loss", self.quantile_loss, self.quantile_loss_squared, rows, z, floor=0.0),
            mean_interval("bias", self.error, self.squared_error, rows, z),
        ]
        if self.relative_rows:
            sums = (self.relative_error, self.relative_error_squared, self.relative_rows)
            found.append(mean_interval("mape", *sums, z, floor=0.0))
        if self.labels.squares > 0:
            value, error = self.labels.r2(self.squared_error, self.squared_error_squared)
            found.append(normal_interval("r2", value, error, z, ceiling=1.0))
        return {e.name: e for e in found if math.isfinite(e.value) and math.isfinite(e.standard_error)}

    def _root_mean_square(self, z: float) -> Estimate:
        square = mean_interval("rmse", self.squared_error, self.squared_error_squared, self.rows, z, floor=0.0)
        root = math.sqrt(square.value)
        error = square.standard_error / (2 * root) if root else 0.0
        return Estimate("rmse", root, error, math.sqrt(square.low), math.sqrt(square.high))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"problem": self.problem}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ErrorCounts:
        """The counts that `to_json` wrote."""
        values = {f.name: data[f.name] for f in fields(cls)}
        return cls(**values | {"labels": LabelMoments(**values["labels"]), "costs": CostSums(**values["costs"])})


def count_errors(answers: Floats, labels: Floats, *, quantile: float = 0.5, costs: Floats | None = None) -> ErrorCounts:
    """Add up the errors of answered numbers.

    Parameters
    ----------
    answers, labels : ndarray of float, shape (n_rows,)
        What was answered, and what came true.
    quantile : float
        Which quantile the model answers, 0 to 1: the pinball loss counts an answer below the truth with it, one
        above with 1 less it (Koenker and Bassett 1978, Econometrica 46, 33).
    costs : ndarray of float, shape (n_rows,), optional
        What an error of one unit costs in each row.

    >>> count_errors(np.array([2.0]), np.array([4.0]), quantile=0.9).quantile_loss
    1.8
    """
    if len(labels) == 0:
        return ErrorCounts()
    with np.errstate(over="ignore", invalid="ignore"):
        errors = answers - labels
        absolute, squared = np.abs(errors), errors**2
        pinball = np.where(errors < 0, -quantile * errors, (1 - quantile) * errors)
        there = labels != 0
        relative = absolute[there] / np.abs(labels[there])
        return ErrorCounts(
            len(labels), _sum(errors), _sum(absolute), _sum(squared), _sum(squared**2),
            _sum(pinball), _sum(pinball**2), int(there.sum()), _sum(relative), _sum(relative**2),
            moments_of(labels, squared), CostSums() if costs is None else sums_of(costs * absolute, costs),
        )  # fmt: skip


def _sum(values: Floats) -> float:
    return float(values.sum())
