"""Errors of a regression as sums that add without losing digits, and their metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal

import numpy as np

from kedge.arrays import Floats
from kedge.intervals import Estimate, mean_interval, normal_interval, z_of
from kedge.outcomes.costs import CostSums, sums_of
from kedge.stored import build, known


@dataclass(frozen=True)
class LabelMoments:
    """Sums over rows of powers of the truth y about its mean, alone and with the squared errors e^2.

    Attributes
    ----------
    rows : int
    mean : float
        Of y.
    squares, cubes, fourths : float
        Sums of (y - mean) to the second, third and fourth.
    errors : float
        Sum of e^2.
    errors_by_label, errors_by_square : float
        Sums of e^2 (y - mean) and of e^2 (y - mean)^2.
    """

    rows: int = 0
    mean: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0
    fourths: float = 0.0
    errors: float = 0.0
    errors_by_label: float = 0.0
    errors_by_square: float = 0.0

    def __add__(self, other: LabelMoments) -> LabelMoments:
        rows = self.rows + other.rows
        if rows == 0:
            return self
        mean = self.mean + (other.mean - self.mean) * other.rows / rows
        one, two = self._about(mean), other._about(mean)
        return LabelMoments(rows, mean, *(a + b for a, b in zip(one, two, strict=True)))

    def _about(self, mean: float) -> tuple[float, ...]:
        """The sums about another mean: Pebay (2008), Sandia report SAND2008-6212, equation 2.1."""
        d, n = self.mean - mean, self.rows
        dd = d * d  # a power would raise an error, this only overflows
        return (
            self.squares + n * dd,
            self.cubes + 3 * d * self.squares + n * dd * d,
            self.fourths + 4 * d * self.cubes + 6 * dd * self.squares + n * dd * dd,
            self.errors,
            self.errors_by_label + d * self.errors,
            self.errors_by_square + 2 * d * self.errors_by_label + dd * self.errors,
        )

    def r2(self, squared_error: float, squared_error_squared: float) -> tuple[float, float]:
        """1 - sum e^2 / sum (y - mean)^2, and its error by the delta method on the two means.

        With R their ratio and v the variance of y, a row moves R by (e^2 - R (y - mean)^2) / v.

        >>> errors = np.array([0.0, 1.0, 0.0, 1.0])
        >>> moments_of(np.array([1.0, 2.0, 3.0, 4.0]), errors).r2(2.0, 2.0)[0]
        0.6
        """
        ratio = squared_error / self.squares
        spread = squared_error_squared - 2 * ratio * self.errors_by_square + ratio * ratio * self.fourths
        return 1 - ratio, math.sqrt(max(spread, 0.0)) / self.squares


def moments_of(labels: Floats, squared_errors: Floats) -> LabelMoments:
    """The moments of rows.

    >>> moments_of(np.array([1.0, 3.0]), np.array([4.0, 0.0])).errors_by_label
    -4.0
    """
    mean = float(labels.mean())
    about = labels - mean
    squares = about**2
    sums = (squares, squares * about, squares**2, squared_errors, squared_errors * about, squared_errors * squares)
    return LabelMoments(len(labels), mean, *(float(values.sum()) for values in sums))


def moments_about(near: float, rows: int, sums: tuple[float, ...], errors: float) -> LabelMoments:
    """The moments of rows, from their sums about a number near the mean.

    Parameters
    ----------
    near : float
    rows : int
        At least one.
    sums : tuple of float
        Of d, d^2, d^3, d^4, e^2 d and e^2 d^2, where d is the truth minus `near`.
    errors : float
        Sum of e^2.

    >>> moments_about(1.0, 2, (2.0, 4.0, 8.0, 16.0, 0.0, 0.0), 4.0) == moments_of(np.array([1.0, 3.0]), np.array([4.0, 0.0]))
    True
    """
    first, squares, cubes, fourths, by_label, by_square = sums
    d = first / rows
    dd = d * d
    return LabelMoments(
        rows,
        near + d,
        squares - rows * dd,
        cubes - 3 * d * squares + 2 * rows * dd * d,
        fourths - 4 * d * cubes + 6 * dd * squares - 3 * rows * dd * dd,
        errors,
        by_label - d * errors,
        by_square - 2 * d * by_label + dd * errors,
    )


@dataclass(frozen=True)
class ErrorCounts:
    """Labelled answers of a regression; an error is the answer minus the truth.

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
        From the model's cost column, if it has one.
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

        RMSE's interval is the root of the mean square's; R2's comes from the delta method on both of its means. MAPE is over
        the rows whose truth is not 0, as a fraction. Metrics that overflow or are undefined are absent.

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
        sums = {"labels": build(LabelMoments, data["labels"]), "costs": build(CostSums, data["costs"])}
        return cls(**known(cls, data) | sums)


def count_errors(answers: Floats, labels: Floats, *, quantile: float = 0.5, costs: Floats | None = None) -> ErrorCounts:
    """Add up the errors of answered numbers.

    Parameters
    ----------
    answers, labels : ndarray of float, shape (n_rows,)
        The answers, and the true values.
    quantile : float
        Which quantile the model answers, 0 to 1: the pinball loss counts an answer below the truth with it, one
        above with 1 minus it (Koenker and Bassett 1978, Econometrica 46, 33).
    costs : ndarray of float, shape (n_rows,), optional
        Cost of an error of one unit in each row.

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
            len(labels),
            _sum(errors),
            _sum(absolute),
            _sum(squared),
            _sum(squared**2),
            _sum(pinball),
            _sum(pinball**2),
            int(there.sum()),
            _sum(relative),
            _sum(relative**2),
            moments_of(labels, squared),
            CostSums() if costs is None else sums_of(costs * absolute, costs),
        )


def _sum(values: Floats) -> float:
    return float(values.sum())
