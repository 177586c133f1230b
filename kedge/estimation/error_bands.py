"""How wrong a regression is at each height of its answers: the basis for an estimate of its loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kedge.arrays import Floats, Ints
from kedge.errors import EmptySampleError
from kedge.intervals import Estimate, normal_interval, z_of

BANDS = 20
_ARRAYS = ("edges", "rows", "error", "absolute", "squared", "fourth")


@dataclass(frozen=True, eq=False)
class ErrorBands:
    """The reference's errors (answer minus truth) by band of the answer.

    Attributes
    ----------
    edges : ndarray of float, shape (n_bands - 1,)
        Band i holds edges[i-1] < answer <= edges[i].
    low, high : float
        The reference's smallest and largest answer.
    rows : ndarray of int, shape (n_bands,)
    error, absolute, squared, fourth : ndarray of float, shape (n_bands,)
        Means of e, |e|, e^2, e^4 in each band.
    """

    edges: Floats
    low: float
    high: float
    rows: Ints
    error: Floats
    absolute: Floats
    squared: Floats
    fourth: Floats

    def count(self, answers: Floats) -> Ints:
        """Rows of each band; an answer that is not a finite number is left out.

        >>> bands = error_bands(np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4), bands=2)
        >>> bands.count(np.array([1.0, 9.0, 9.0, np.nan])).tolist()
        [1, 2]
        """
        finite = answers[np.isfinite(answers)]
        return np.bincount(np.searchsorted(self.edges, finite), minlength=len(self.rows)).astype(np.int64)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return arrays | {"low": self.low, "high": self.high}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ErrorBands:
        """The bands that `to_json` wrote."""
        arrays = {name: np.array(data[name]) for name in _ARRAYS}
        return cls(low=data["low"], high=data["high"], **arrays)


# Squares of numbers near the largest float are infinite; values that are not finite are left out of the estimates.
@np.errstate(over="ignore", invalid="ignore")
def error_bands(answers: Floats, labels: Floats, *, bands: int = BANDS) -> ErrorBands:
    """Measure the errors of labelled answers in bands of about equal rows; none raises `EmptySampleError`.

    Parameters
    ----------
    answers, labels : ndarray of float, shape (n_rows,)
        From rows that the model has not trained on.

    >>> error_bands(np.array([1.0, 2.0, 10.0, 20.0]), np.array([1.0, 2.0, 8.0, 16.0]), bands=2).absolute.tolist()
    [0.0, 3.0]
    """
    if not len(answers):
        raise EmptySampleError(sample="reference of the loss estimator")
    edges = np.unique(np.quantile(answers, np.linspace(0, 1, bands + 1)[1:-1], method="inverted_cdf"))
    edges = edges[edges < answers.max()]
    place, errors = np.searchsorted(edges, answers), answers - labels
    rows = np.bincount(place, minlength=len(edges) + 1)
    means = [
        np.bincount(place, weights=weights, minlength=len(rows)) / rows
        for weights in (errors, np.abs(errors), errors**2, errors**4)
    ]
    return ErrorBands(edges, float(answers.min()), float(answers.max()), rows.astype(np.int64), *means)


@np.errstate(over="ignore", invalid="ignore")
def expected_errors(bands: ErrorBands, counts: Ints, *, confidence: float) -> dict[str, Estimate]:
    """Estimated MAE, RMSE and bias: the reference's mean in each band, weighted by the window's rows.

    Like direct loss estimation (NannyML 2022), but the loss depends on the answer alone. It follows changes of
    P(x) that show in the answers, and is blind to changes of P(y given x). The interval is that of the metric that the labels
    will show, with the noise of the window and of the reference.

    Parameters
    ----------
    counts : ndarray of int, shape (n_bands,)
        `ErrorBands.count` of the window's answers.

    >>> bands = error_bands(np.array([1.0, 2.0, 10.0, 20.0]), np.array([1.0, 2.0, 8.0, 16.0]), bands=2)
    >>> expected_errors(bands, np.array([1, 3]), confidence=0.95)["mae"].value
    2.25
    """
    total = counts.sum()
    if not total:
        return {}
    z, share = z_of(confidence), counts / total
    noise = share / total + share**2 / bands.rows

    def mean(values: Floats, squares: Floats) -> tuple[float, float]:
        spread = np.maximum(squares - values**2, 0.0)
        return float(share @ values), math.sqrt(float(noise @ spread))

    square, square_error = mean(bands.squared, bands.fourth)
    root = math.sqrt(square)
    root_error = square_error / (2 * root) if root else 0.0
    found = (
        normal_interval("mae", *mean(bands.absolute, bands.squared), z, floor=0.0),
        normal_interval("rmse", root, root_error, z, floor=0.0),
        normal_interval("bias", *mean(bands.error, bands.squared), z),
    )
    return {e.name: e for e in found if math.isfinite(e.value) and math.isfinite(e.standard_error)}
