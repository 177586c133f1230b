"""Two-class outcomes as counts and sums that add: all that the binary metrics need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from kedge.binary_metrics import binary_metrics
from kedge.cell_counts import rank_cells, rank_rows
from kedge.cost_sums import CostSums, sums_of
from kedge.intervals import Estimate
from kedge.packed_integers import pack, unpack
from kedge.score_cells import CELL_OF_ONE, CELL_OF_ZERO, cells_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CALIBRATION_BINS = 10
_PACKED = ("cells", "positive", "negative")
# Where scikit-learn's log_loss cuts a double, so that a certain and wrong answer costs a finite amount.
_EPSILON = float(np.finfo(np.float64).eps)


def _none() -> Ints:
    return np.zeros(0, np.int64)


def _no_bins() -> Floats:
    return np.zeros((3, CALIBRATION_BINS))


@dataclass(frozen=True, eq=False)
class BinaryCounts:
    """Labelled scores as counts and sums.

    Attributes
    ----------
    cells : ndarray of int, shape (n_cells,)
        The cells of `score_cells` that hold rows, ascending.
    positive, negative : ndarray of int, shape (n_cells,)
        Rows of each class in each of them.
    cleared_bits : int
        Last bits of the cells that were given up, so that there are at most 2**20 of them: 0 unless rows are many.
    true_positive, false_positive, true_negative, false_negative : int
        Rows by decision at the model's threshold.
    score, squared_error, squared_error_squared, log_loss, log_loss_squared : float
        Sums over rows; the squares carry the variance.
    bins : ndarray of float, shape (3, 10)
        Rows, positive rows and sum of scores in ten bins of equal width, each closed above.
    costs : CostSums
        Of the model's cost column, where it has one.
    """

    problem: ClassVar[Literal["binary_classification"]] = "binary_classification"

    cells: Ints = field(default_factory=_none)
    positive: Ints = field(default_factory=_none)
    negative: Ints = field(default_factory=_none)
    cleared_bits: int = 0
    true_positive: int = 0
    false_positive: int = 0
    true_negative: int = 0
    false_negative: int = 0
    score: float = 0.0
    squared_error: float = 0.0
    squared_error_squared: float = 0.0
    log_loss: float = 0.0
    log_loss_squared: float = 0.0
    bins: Floats = field(default_factory=_no_bins)
    costs: CostSums = field(default_factory=CostSums)

    @property
    def positives(self) -> int:
        """Rows whose label is the positive class."""
        return int(self.positive.sum())

    @property
    def negatives(self) -> int:
        """Rows whose label is the negative class."""
        return int(self.negative.sum())

    @property
    def rows(self) -> int:
        """Labelled rows."""
        return self.positives + self.negatives

    @property
    def by_class(self) -> dict[str, int]:
        """Rows of each class."""
        return {"negative": self.negatives, "positive": self.positives}

    @property
    def decisions_only(self) -> bool:
        """Whether every score is 0 or 1: a class in a probability's place."""
        return bool(((self.cells == CELL_OF_ZERO) | (self.cells == CELL_OF_ONE)).all())

    @property
    def confusion(self) -> Ints:
        """Rows by class that came true, then by class decided, shape (2, 2)."""
        return np.array([[self.true_negative, self.false_positive], [self.false_negative, self.true_positive]])

    def __add__(self, other: BinaryCounts) -> BinaryCounts:
        cells, positive, negative = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in _PACKED)
        ranked = rank_cells(cells, positive, negative, max(self.cleared_bits, other.cleared_bits))
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name not in ranked}
        return BinaryCounts(**ranked, **sums)

    def metrics(self, confidence: float = 0.95) -> dict[str, Estimate]:
        """Every metric that these counts define, by name; what is undefined is absent.

        >>> counts = count_binary(np.array([0.9, 0.2, 0.6, 0.1]), np.array([1, 0, 0, 0]), threshold=0.5)
        >>> found = counts.metrics()
        >>> found["accuracy"].value, found["precision"].value, found["auc"].value
        (0.75, 0.5, 1.0)
        """
        return binary_metrics(self, confidence)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; the histograms packed."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        packed = {name: pack(values[name]) for name in _PACKED}
        return values | packed | {"bins": self.bins.tolist(), "costs": self.costs.to_json(), "problem": self.problem}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BinaryCounts:
        """The counts that `to_json` wrote."""
        values = {f.name: data[f.name] for f in fields(cls)}
        values |= {name: unpack(values[name]) for name in _PACKED}
        return cls(**values | {"bins": np.array(values["bins"], np.float64), "costs": CostSums(**values["costs"])})


def count_binary(scores: Floats, labels: Ints, *, threshold: float, costs: Floats | None = None) -> BinaryCounts:
    """Count labelled scores.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,)
        Probability of the positive class, 0 to 1.
    labels : ndarray of int, shape (n_rows,)
        1 for the positive class, 0 for the other.
    threshold : float
        A score at or above it is a positive decision.
    costs : ndarray of float, shape (n_rows,), optional
        What a wrong decision on each row costs.

    >>> count_binary(np.array([0.9, 0.2, 0.6]), np.array([1, 0, 0]), threshold=0.5).false_positive
    1
    """
    positive, decided = labels == 1, scores >= threshold
    squared = (scores - labels) ** 2
    # Beside 1, a double cannot hold 1 - eps / 2 apart from it: both ends are cut as scikit-learn does.
    chance = np.clip(np.where(positive, scores, 1.0 - scores), _EPSILON, 1.0 - _EPSILON)
    logs = -np.log(chance)
    return BinaryCounts(
        **rank_rows(cells_of(scores), positive),
        true_positive=int((positive & decided).sum()),
        false_positive=int((~positive & decided).sum()),
        true_negative=int((~positive & ~decided).sum()),
        false_negative=int((positive & ~decided).sum()),
        score=float(scores.sum()),
        squared_error=float(squared.sum()),
        squared_error_squared=float((squared**2).sum()),
        log_loss=float(logs.sum()),
        log_loss_squared=float((logs**2).sum()),
        bins=_binned(scores, positive),
        costs=CostSums() if costs is None else sums_of(np.where(positive == decided, 0.0, costs), costs),
    )


def _binned(scores: Floats, positive: NDArray[np.bool_]) -> Floats:
    inner = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)[1:-1]
    places = np.searchsorted(inner, scores)
    weights = (None, positive.astype(np.float64), scores)
    return np.array([np.bincount(places, weights=w, minlength=CALIBRATION_BINS) for w in weights], np.float64)
