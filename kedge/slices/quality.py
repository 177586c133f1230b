"""One number of quality per slice, from its counts, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from kedge.arrays import Floats, Ints
from kedge.config.metrics import direction
from kedge.config.sections import Problem
from kedge.slices.counts import SliceTable
from kedge.slices.ruler import ERROR_SUMS


@dataclass(frozen=True)
class SliceQuality:
    """The metric of each slice on the scale where its error is nearly normal: log-odds, or the logarithm.

    Attributes
    ----------
    metric : str
        "auc", "accuracy" or "mae".
    values, transformed, errors : ndarray of float, shape (n_slices,)
        The metric, its transform, and the transform's standard error; NaN where it is undefined.
    rows : ndarray of int, shape (n_slices,)
    smaller_class : ndarray of int, shape (n_slices,)
        Rows of the rarer class; all rows if there are not two classes.
    """

    metric: str
    values: Floats
    transformed: Floats
    errors: Floats
    rows: Ints
    smaller_class: Ints

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return direction(self.metric) == "higher"

    def part(self, groups: slice) -> SliceQuality:
        """That of some of the slices."""
        found = self.values[groups], self.transformed[groups], self.errors[groups]
        return SliceQuality(self.metric, *found, self.rows[groups], self.smaller_class[groups])

    def interval(self, z: float) -> tuple[Floats, Floats]:
        """Ends of the interval of half width `z` standard errors, back on the metric's own scale."""
        low, high = self.transformed - z * self.errors, self.transformed + z * self.errors
        return (_expit(low), _expit(high)) if self.higher_is_better else (np.exp(low), np.exp(high))


def slice_quality(problem: Problem, table: SliceTable) -> SliceQuality:
    """AUC (binary), accuracy (multiclass) or mean absolute error (regression) of each slice.

    AUC: the Mann-Whitney share with ties half, its variance that of the placements (DeLong, DeLong and Clarke-Pearson
    1988, Biometrics 44, 837), exact for scores in the ruler's cells; on log-odds, where its error is closer to
    normal (Qin and Hotilovac 2008, Stat. Methods Med. Res. 17, 207). Accuracy likewise, with half a row added to either
    side; the mean absolute error on its logarithm.

    >>> from kedge.slices.counts import SliceTable
    >>> counts = np.array([[[50, 0], [0, 50]], [[25, 25], [25, 25]]])
    >>> slice_quality("binary_classification", SliceTable((("a",), ("b",)), counts, np.zeros((2, 2, 1)))).values.round(3).tolist()
    [1.0, 0.5]
    """
    if problem == "binary_classification":
        return _auc(table.counts)
    if problem == "multiclass_classification":
        return _accuracy(table)
    return _absolute_error(table)


def worse_z(left: SliceQuality, right: SliceQuality) -> Floats:
    """Standard errors by which each slice of `left` is worse than that of `right`; NaN if either is undefined."""
    sign = 1.0 if left.higher_is_better else -1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sign * (right.transformed - left.transformed) / np.hypot(left.errors, right.errors))


def worse_by(left: SliceQuality, right: SliceQuality) -> Floats:
    """How much worse: in the metric's unit; for an error as a fraction of the other error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if left.higher_is_better:
            return np.asarray(right.values - left.values)
        return np.asarray(left.values / right.values - 1.0)


def upper_tail(z: Floats) -> Floats:
    """Probability of a standard normal above `z`; 1 if `z` is NaN.

    >>> upper_tail(np.array([0.0, np.nan])).tolist()
    [0.5, 1.0]
    """
    return np.where(np.isnan(z), 1.0, ndtr(-z))


def _auc(counts: Ints) -> SliceQuality:
    negative, positive = counts[..., 0].astype(np.float64), counts[..., 1].astype(np.float64)
    negatives, positives = negative.sum(axis=1), positive.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        below = (np.cumsum(negative, axis=1) - negative / 2) / negatives[:, None]
        above = (np.cumsum(positive[:, ::-1], axis=1)[:, ::-1] - positive / 2) / positives[:, None]
        value = (positive * below).sum(axis=1) / positives
        by_positive = (positive * (below - value[:, None]) ** 2).sum(axis=1) / np.maximum(positives - 1, 1)
        by_negative = (negative * (above - value[:, None]) ** 2).sum(axis=1) / np.maximum(negatives - 1, 1)
        error = np.sqrt(by_positive / positives + by_negative / negatives)
        # A slice without a mistake has no spread: half a pair is added.
        half_pair = 0.5 / (positives * negatives)
        inside = np.clip(value, half_pair, 1 - half_pair)
        slope = inside * (1 - inside)
        error = np.maximum(error, np.sqrt(slope / np.minimum(positives, negatives) / 12))
    smaller = np.minimum(positives, negatives).astype(np.int64)
    rows = (positives + negatives).astype(np.int64)
    return SliceQuality("auc", value, np.log(inside / (1 - inside)), error / slope, rows, smaller)


def _accuracy(table: SliceTable) -> SliceQuality:
    missed, hits = (table.counts[..., i].sum(axis=1).astype(np.float64) for i in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = hits / (hits + missed)
    error = np.sqrt(1 / (hits + 0.5) + 1 / (missed + 0.5))
    return SliceQuality("accuracy", value, np.log((hits + 0.5) / (missed + 0.5)), error, table.rows, table.rows)


def _absolute_error(table: SliceTable) -> SliceQuality:
    total, squares = (
        table.sums[..., ERROR_SUMS.index(name)].sum(axis=1) for name in ("absolute_error", "squared_error")
    )
    rows = table.rows
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        value = total / rows
        error = np.sqrt(np.maximum(squares / rows - value**2, 0.0) / rows)
        return SliceQuality("mae", value, np.log(value), error / value, rows, rows)


def _expit(values: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))
