"""Outcomes of several classes as a confusion matrix that adds, and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from kedge.arrays import Floats, Ints
from kedge.errors import OutcomeMismatchError
from kedge.intervals import Estimate, delta_error, mean_interval, normal_interval, wilson_interval, z_of
from kedge.outcomes.costs import CostSums, sums_of
from kedge.stored import build

_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Labelled answers of a model of several classes.

    Attributes
    ----------
    classes : tuple of str
    confusion : ndarray of int, shape (n_classes, n_classes)
        Rows by class that came true, then by class answered.
    scored_rows : int
        Rows whose answer has every class's probability.
    log_loss, log_loss_squared : float
        Sums over those rows.
    costs : CostSums
        From the model's cost column, if it has one.
    """

    problem: ClassVar[Literal["multiclass_classification"]] = "multiclass_classification"

    classes: tuple[str, ...]
    confusion: Ints
    scored_rows: int = 0
    log_loss: float = 0.0
    log_loss_squared: float = 0.0
    costs: CostSums = field(default_factory=CostSums)

    @property
    def rows(self) -> int:
        """Labelled rows."""
        return int(self.confusion.sum())

    @property
    def by_class(self) -> dict[str, int]:
        """Rows of each class that came true."""
        return dict(zip(self.classes, map(int, self.confusion.sum(axis=1)), strict=True))

    def __add__(self, other: ClassCounts) -> ClassCounts:
        if self.classes != other.classes:
            raise OutcomeMismatchError(expected=", ".join(self.classes), found=", ".join(other.classes))
        return ClassCounts(
            self.classes,
            self.confusion + other.confusion,
            self.scored_rows + other.scored_rows,
            self.log_loss + other.log_loss,
            self.log_loss_squared + other.log_loss_squared,
            self.costs + other.costs,
        )

    def metrics(self, confidence: float = 0.95) -> dict[str, Estimate]:
        """Accuracy, macro and weighted F1, each class's recall, and log loss if probabilities are known.

        Wilson intervals for shares, the delta method on the multinomial for the F1s (Takahashi et al. 2022, Appl.
        Intell. 52, 4961). A class that neither came true nor was answered is not averaged, as in scikit-learn.

        >>> found = ClassCounts(("a", "b"), np.array([[3, 1], [0, 4]])).metrics()
        >>> found["accuracy"].value, found["recall_a"].value, round(found["macro_f1"].value, 4)
        (0.875, 0.75, 0.873)
        """
        if self.rows == 0:
            return {}
        z, right = z_of(confidence), np.diag(self.confusion)
        truths = self.confusion.sum(axis=1)
        found = [wilson_interval("accuracy", int(right.sum()), self.rows, z), *self._averaged_f1(z)]
        found += [
            wilson_interval(f"recall_{name}", int(right[i]), int(truths[i]), z)
            for i, name in enumerate(self.classes)
            if truths[i]
        ]
        if self.scored_rows:
            found.append(
                mean_interval("log_loss", self.log_loss, self.log_loss_squared, self.scored_rows, z, floor=0.0)
            )
        return {estimate.name: estimate for estimate in found}

    def _averaged_f1(self, z: float) -> list[Estimate]:
        shares = self.confusion / self.rows
        truths, answers, right = shares.sum(axis=1), shares.sum(axis=0), np.diag(shares)
        both = truths + answers
        present = both > 0
        each = np.divide(2 * right, both, out=np.zeros_like(both), where=present)
        # Derivative of a class's F1 with respect to each cell of the matrix: -F/s along its row and its column, 2/s more on the diagonal.
        pull = np.divide(1.0, both, out=np.zeros_like(both), where=present)
        macro, weighted = present / present.sum(), truths
        found = []
        for name, weights in (("macro_f1", macro), ("weighted_f1", weighted)):
            along = -weights * each * pull
            slope = along[:, None] + along[None, :] + np.diag(2 * weights * pull)
            if name == "weighted_f1":
                slope = slope + each[:, None]  # the weights are shares themselves
            error = delta_error(slope.ravel(), shares.ravel(), self.rows)
            found.append(normal_interval(name, float(weights @ each), error, z, floor=0.0, ceiling=1.0))
        return found

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "problem": self.problem,
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
            "scored_rows": self.scored_rows,
            "log_loss": self.log_loss,
            "log_loss_squared": self.log_loss_squared,
            "costs": self.costs.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ClassCounts:
        """The counts that `to_json` wrote."""
        return cls(
            tuple(data["classes"]),
            np.array(data["confusion"], np.int64),
            data["scored_rows"],
            data["log_loss"],
            data["log_loss_squared"],
            build(CostSums, data["costs"]),
        )


def count_classes(
    answers: Ints,
    labels: Ints,
    classes: tuple[str, ...],
    *,
    probabilities: Floats | None = None,
    costs: Floats | None = None,
) -> ClassCounts:
    """Count answered classes against those that came true.

    Parameters
    ----------
    answers, labels : ndarray of int, shape (n_rows,)
        Codes, positions in `classes`.
    probabilities : ndarray of float, shape (n_rows, n_classes), optional
        Rows with a value that is not a probability are left out of the log loss.
    costs : ndarray of float, shape (n_rows,), optional
        Cost of a wrong answer to each row.

    >>> count_classes(np.array([0, 1, 1]), np.array([0, 1, 0]), ("a", "b")).confusion.tolist()
    [[1, 1], [0, 1]]
    """
    size = len(classes)
    confusion = np.bincount(labels * size + answers, minlength=size**2).reshape(size, size).astype(np.int64)
    logs = _log_losses(labels, probabilities)
    return ClassCounts(
        classes,
        confusion,
        len(logs),
        float(logs.sum()),
        float((logs**2).sum()),
        CostSums() if costs is None else sums_of(np.where(answers == labels, 0.0, costs), costs),
    )


def _log_losses(labels: Ints, probabilities: Floats | None) -> Floats:
    if probabilities is None:
        return np.zeros(0)
    scored = ((probabilities >= 0) & (probabilities <= 1)).all(axis=1)
    chance = probabilities[scored, labels[scored]]
    return -np.log(np.clip(chance, _EPSILON, 1 - _EPSILON))
