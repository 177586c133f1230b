"""How often a score comes true: the calibration map, learnt from the reference's counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kedge.arrays import Floats, Ints
from kedge.errors import EmptySampleError
from kedge.outcomes.binary import BinaryCounts
from kedge.outcomes.score_cells import middles_of

KNOTS_MAXIMUM = 2000
# Rows of the fitted logistic curve that are mixed into the isotonic one: they matter only if the reference is small.
PRIOR_ROWS = 30.0
BANDS = 10
# Between these means of the bands' squared z-scores the map turns from the scores as they are to the fitted curve:
# calibrated scores give 1, and at 2 leaving them costs as much as fitting does (Mallows 1973).
TRUSTED_UNTIL, FITTED_FROM = 1.0, 2.0
_NEWTON_STEPS = 50


@dataclass(frozen=True, eq=False)
class CalibrationMap:
    """Probability that a score comes true.

    Attributes
    ----------
    scores, probabilities : ndarray of float, shape (n_knots,)
        The map at its knots, ascending; between them it is linear, beyond them constant.
    blocks : ndarray of int, shape (n_knots,)
        The isotonic block of each knot: knots of one block were estimated together.
    block_variances : ndarray of float, shape (n_blocks,)
        Of each block's probability.
    weight : float
        0 if the scores are taken as they are, 1 if the fitted curve replaces them wholly.
    """

    scores: Floats
    probabilities: Floats
    blocks: Ints
    block_variances: Floats
    weight: float

    def __call__(self, scores: Floats) -> Floats:
        """The probability of each score."""
        fitted = np.interp(scores, self.scores, self.probabilities)
        return self.weight * fitted + (1.0 - self.weight) * scores

    def block_of(self, scores: Floats) -> Ints:
        """The block of the nearest knot at or above each score."""
        return self.blocks[np.minimum(np.searchsorted(self.scores, scores), len(self.blocks) - 1)]


def calibration_map(reference: BinaryCounts) -> CalibrationMap:
    """Learn the map from rows that the model has not trained on.

    Isotonic regression (Zadrozny and Elkan 2002, KDD, 694), with `PRIOR_ROWS` rows of a logistic curve (Platt 1999)
    mixed in: on few rows the isotonic curve follows chance. If the mean squared z-score of ten bands says that the
    scores are already calibrated (it is then about 1, Hosmer and Lemeshow 1980), they are kept.
    No rows raise `EmptySampleError`.

    >>> from kedge.outcomes.binary import count_binary
    >>> scores = np.repeat([0.2, 0.6], 500)
    >>> labels = np.concatenate([np.arange(500) % 10 < 4, np.arange(500) % 10 < 9]).astype(int)
    >>> calibration_map(count_binary(scores, labels, threshold=0.5))(np.array([0.2, 0.6])).round(2).tolist()
    [0.4, 0.9]
    """
    if not reference.rows:
        raise EmptySampleError(sample="reference of the calibration map")
    scores, rows, hits = _knots(reference)
    prior = PRIOR_ROWS * rows / rows.sum()
    probabilities, blocks = pool_adjacent_violators(
        (hits + prior * logistic_curve(scores, rows, hits)) / (rows + prior), rows + prior
    )
    block_rows = np.bincount(blocks, weights=rows)
    of_blocks = np.bincount(blocks, weights=rows * probabilities) / block_rows
    # A block of one class only is not certain: half a row of the other class is added.
    smoothed = (of_blocks * block_rows + 0.5) / (block_rows + 1.0)
    return CalibrationMap(
        scores, probabilities, blocks, smoothed * (1.0 - smoothed) / block_rows, _weight(scores, rows, hits)
    )


def pool_adjacent_violators(values: Floats, weights: Floats) -> tuple[Floats, Ints]:
    """The nearest values (in weighted squares) that never fall, and the block of each.

    Ayer, Brunk, Ewing, Reid and Silverman (1955), Ann. Math. Stat. 26, 641.

    Parameters
    ----------
    values, weights : ndarray of float, shape (n,)
        Weights above 0.

    >>> fitted, blocks = pool_adjacent_violators(np.array([1.0, 3.0, 2.0]), np.ones(3))
    >>> fitted.tolist(), blocks.tolist()
    ([1.0, 2.5, 2.5], [0, 1, 1])
    """
    means: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, length = value, weight, 1
        while means and means[-1] >= mean:
            before = masses.pop()
            mean = (means.pop() * before + mean * mass) / (before + mass)
            mass, length = mass + before, length + lengths.pop()
        means.append(mean)
        masses.append(mass)
        lengths.append(length)
    return np.repeat(means, lengths), np.repeat(np.arange(len(lengths)), lengths)


def logistic_curve(scores: Floats, rows: Floats, hits: Floats) -> Floats:
    """Logistic regression of the hits on the scores' log-odds, by Newton's method: Platt (1999).

    One row's weight pulls the slope towards 1 and the intercept towards 0, so that separable scores have a solution.

    >>> logistic_curve(np.array([0.25, 0.75]), np.array([400.0, 400.0]), np.array([100.0, 300.0])).round(2).tolist()
    [0.25, 0.75]
    """
    safe = np.clip(scores, 1e-6, 1.0 - 1e-6)
    log_odds = np.log(safe / (1.0 - safe))
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    start = np.array([0.0, 1.0])
    coefficients = start.copy()
    for _ in range(_NEWTON_STEPS):
        chance = _chances(design, coefficients)
        slope = design.T @ (hits - rows * chance) - (coefficients - start)
        curvature = (design * (rows * chance * (1.0 - chance))[:, None]).T @ design + np.eye(2)
        step = np.linalg.solve(curvature, slope)
        coefficients = coefficients + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return _chances(design, coefficients)


def _chances(design: Floats, coefficients: Floats) -> Floats:
    chances: Floats = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients, -30.0, 30.0)))
    return chances


def _knots(reference: BinaryCounts) -> tuple[Floats, Floats, Floats]:
    """Score, rows and positive rows of at most `KNOTS_MAXIMUM` neighbourhoods of about equal rows."""
    rows = (reference.positive + reference.negative).astype(np.float64)
    scores = middles_of(reference.cells)
    group = _equal_groups(rows, KNOTS_MAXIMUM) if len(rows) > KNOTS_MAXIMUM else np.arange(len(rows))
    total, hits = (np.bincount(group, weights=w).astype(np.float64) for w in (rows, reference.positive))
    middle: Floats = np.bincount(group, weights=rows * scores) / total
    return middle, total, hits


def _equal_groups(rows: Floats, groups: int) -> Ints:
    """Group of each cell, numbered without gaps: about equal rows in each."""
    centre = (np.cumsum(rows) - rows / 2) / rows.sum()
    return np.unique((centre * groups).astype(np.int64), return_inverse=True)[1]


def _weight(scores: Floats, rows: Floats, hits: Floats) -> float:
    band = _equal_groups(rows, BANDS)
    expected, observed = np.bincount(band, weights=rows * scores), np.bincount(band, weights=hits)
    variance = np.bincount(band, weights=rows * scores * (1.0 - scores))
    # Scores of exactly 0 or 1 allow no miss: half a row keeps its surprise finite.
    beyond = float(np.mean((observed - expected) ** 2 / np.maximum(variance, 0.5)))
    return float(np.clip((beyond - TRUSTED_UNTIL) / (FITTED_FROM - TRUSTED_UNTIL), 0.0, 1.0))
