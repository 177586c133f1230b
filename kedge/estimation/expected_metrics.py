"""Scores counted before any label is known, and the metrics expected from them: confidence-based estimation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints
from kedge.estimation.calibration import CalibrationMap
from kedge.intervals import Estimate, normal_interval, z_of
from kedge.outcomes.score_cells import CELL_OF_ONE, CELL_OF_ZERO, cells_of, middles_of, rows_by_cell

_STEP = 1e-6
_EPSILON = float(np.finfo(np.float64).eps)


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class AnswerCounts:
    """Scores as counts that add; rows with a label count like all others.

    Attributes
    ----------
    cells : ndarray of int, shape (n_cells,)
        The cells of `score_cells` that hold rows, ascending.
    decided, rejected : ndarray of int, shape (n_cells,)
        Rows of each cell for which the decision was positive | negative.
    """

    cells: Ints = field(default_factory=_none)
    decided: Ints = field(default_factory=_none)
    rejected: Ints = field(default_factory=_none)

    @property
    def rows(self) -> int:
        """Answered rows."""
        return int(self.decided.sum() + self.rejected.sum())

    @property
    def decisions_only(self) -> bool:
        """Whether every answer is 0 or 1: a class instead of a probability."""
        return bool(np.isin(self.cells, (CELL_OF_ZERO, CELL_OF_ONE)).all())

    def __add__(self, other: AnswerCounts) -> AnswerCounts:
        cells, place = np.unique(np.concatenate([self.cells, other.cells]), return_inverse=True)
        added = []
        for name in ("decided", "rejected"):
            found = np.zeros(len(cells), np.int64)
            np.add.at(found, place, np.concatenate([getattr(self, name), getattr(other, name)]))
            added.append(found)
        return AnswerCounts(cells, *added)


def count_answers(scores: Floats, decisions: NDArray[np.bool_]) -> AnswerCounts:
    """Count scores; a score that is not a probability is left out.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,)
        Probability of the class in question.
    decisions : ndarray of bool, shape (n_rows,)
        Whether that class was answered.

    >>> counts = count_answers(np.array([0.9, 0.9, 0.2, np.nan]), np.array([True, True, False, False]))
    >>> counts.decided.tolist(), counts.rejected.tolist()
    ([0, 2], [1, 0])
    """
    usable = (scores >= 0.0) & (scores <= 1.0)
    return AnswerCounts(*rows_by_cell(cells_of(scores[usable]), decisions[usable]))


@dataclass(frozen=True, eq=False)
class ExpectedRows:
    """A window's rows by cell and decision, with the chance that each comes true.

    Attributes
    ----------
    scores, chances : ndarray of float, shape (n_groups,)
        Ascending by score.
    decided, rejected : ndarray of float, shape (n_groups,)
    map : CalibrationMap
        The source of the chances.
    """

    scores: Floats
    chances: Floats
    decided: Floats
    rejected: Floats
    map: CalibrationMap

    @classmethod
    def of(cls, answers: AnswerCounts, calibration: CalibrationMap) -> ExpectedRows:
        """Look up each cell's chance."""
        scores = middles_of(answers.cells)
        sides = answers.decided.astype(np.float64), answers.rejected.astype(np.float64)
        return cls(scores, np.clip(calibration(scores), 0.0, 1.0), *sides, calibration)

    @property
    def rows(self) -> float:
        """Answered rows."""
        return float(self.decided.sum() + self.rejected.sum())

    @property
    def confusion(self) -> Floats:
        """Expected rows: true positive, false positive, false negative, true negative."""
        hits, missed = self.decided @ self.chances, self.rejected @ self.chances
        return np.array([hits, self.decided.sum() - hits, missed, self.rejected.sum() - missed])

    @cached_property
    def _draws(self) -> tuple[Floats, Floats]:
        """The variance of each group's decided rows that come true, and of its rejected ones."""
        draws = self.chances * (1.0 - self.chances)
        return self.decided * draws, self.rejected * draws

    @cached_property
    def _blocks(self) -> Ints:
        return self.map.block_of(self.scores)

    def error(self, of_decided: Floats, of_rejected: Floats) -> float:
        """Standard error of the true metric around its estimate.

        It has two independent parts, by the delta method. Each row comes true or not, a Bernoulli draw with its chance.
        The chances themselves were estimated, block by block, from the reference.

        Parameters
        ----------
        of_decided, of_rejected : ndarray of float, shape (n_groups,)
            How much the metric rises if a row of the group, decided or rejected, comes true.
        """
        by_decided, by_rejected = self._draws
        by_outcome = by_decided @ of_decided**2 + by_rejected @ of_rejected**2
        moved = self.decided * of_decided + self.rejected * of_rejected
        by_block = np.bincount(self._blocks, weights=moved, minlength=len(self.map.block_variances))
        return math.sqrt(float(by_outcome + by_block**2 @ self.map.block_variances))


def expected_metrics(rows: ExpectedRows, *, confidence: float) -> dict[str, Estimate]:
    """Every metric that can be estimated, by name; undefined metrics are absent.

    Confidence-based performance estimation (Bialek, Kuberski, Perrakis and Bifet 2024, arXiv:2407.08649): a row with
    chance p counts as p rows that came true and 1 - p rows that did not. It follows changes of P(x) and is blind to
    changes of P(y given x). The interval is that of the metric that the labels will show.

    >>> from kedge.estimation.expected_metrics import count_answers
    >>> sure = CalibrationMap(np.array([0.2, 0.9]), np.array([0.2, 0.9]), np.array([0, 1]), np.zeros(2), 1.0)
    >>> scores = np.repeat([0.2, 0.9], 50)
    >>> found = expected_metrics(ExpectedRows.of(count_answers(scores, scores >= 0.5), sure), confidence=0.95)
    >>> round(found["accuracy"].value, 2), round(found["recall"].value, 2)
    (0.85, 0.82)
    """
    if not rows.rows:
        return {}
    z = z_of(confidence)
    found = [_ranking(rows, z), *_decisions(rows, z), *_row_means(rows, z)]
    return {estimate.name: estimate for estimate in found if estimate is not None}


def _ranking(rows: ExpectedRows, z: float) -> Estimate | None:
    total = rows.decided + rows.rejected
    positive, negative = total * rows.chances, total * (1.0 - rows.chances)
    positives, negatives = positive.sum(), negative.sum()
    if min(positives, negatives) < 1.0:
        return None
    below = (np.cumsum(negative) - negative / 2) / negatives
    above = (np.cumsum(positive[::-1])[::-1] - positive / 2) / positives
    value = float(positive @ below / positives)
    gained = (below - value) / positives - (above - value) / negatives
    return normal_interval("auc", value, rows.error(gained, gained), z, floor=0.0, ceiling=1.0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


# Of expected rows: true positive, false positive, false negative, true negative.
_OF_CONFUSION: Mapping[str, Callable[[float, float, float, float], float]] = {
    "accuracy": lambda tp, fp, fn, tn: _share(tp + tn, tp + fp + fn + tn),
    "balanced_accuracy": lambda tp, fp, fn, tn: (_share(tp, tp + fn) + _share(tn, tn + fp)) / 2,
    "precision": lambda tp, fp, fn, tn: _share(tp, tp + fp),
    "recall": lambda tp, fp, fn, tn: _share(tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: _share(tn, tn + fp),
    "f1": lambda tp, fp, fn, tn: _share(2 * tp, 2 * tp + fp + fn),
}


def _decisions(rows: ExpectedRows, z: float) -> list[Estimate]:
    confusion = rows.confusion
    step = _STEP * rows.rows
    found = []
    for name, metric in _OF_CONFUSION.items():
        value = metric(*confusion)
        if math.isnan(value):
            continue
        slope = [
            (metric(*(confusion + step * way)) - metric(*(confusion - step * way))) / (2 * step) for way in np.eye(4)
        ]
        ones = np.ones_like(rows.chances)
        error = rows.error(ones * (slope[0] - slope[1]), ones * (slope[2] - slope[3]))
        found.append(normal_interval(name, float(value), error, z, floor=0.0, ceiling=1.0))
    return found


def _row_means(rows: ExpectedRows, z: float) -> list[Estimate]:
    """Metrics that are a mean over rows: a row's value if it comes true, and if it does not."""
    scores, count = rows.scores, rows.rows
    safe = np.clip(scores, _EPSILON, 1.0 - _EPSILON)
    found = []
    for name, true, false in (
        ("base_rate", np.ones_like(scores), np.zeros_like(scores)),
        ("brier", (1.0 - scores) ** 2, scores**2),
        ("log_loss", -np.log(safe), -np.log1p(-safe)),
    ):
        value = (rows.decided + rows.rejected) @ (rows.chances * true + (1.0 - rows.chances) * false) / count
        gained = (true - false) / count
        ceiling = 1.0 if name != "log_loss" else math.inf
        found.append(normal_interval(name, float(value), rows.error(gained, gained), z, floor=0.0, ceiling=ceiling))
    return found
