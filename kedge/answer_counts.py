"""A window's scores counted before any label is known: what an estimate of quality is read from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kedge.score_cells import CELL_OF_ONE, CELL_OF_ZERO, cells_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class AnswerCounts:
    """Scores as counts that add; rows whose label is in are counted like any other.

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
        """Whether every answer is 0 or 1: a class in a probability's place."""
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
    """Count scores; one that is no probability is left out.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,)
        Probability of the class that is decided about.
    decisions : ndarray of bool, shape (n_rows,)
        Whether that class was answered.

    >>> counts = count_answers(np.array([0.9, 0.9, 0.2, np.nan]), np.array([True, True, False, False]))
    >>> counts.decided.tolist(), counts.rejected.tolist()
    ([0, 2], [1, 0])
    """
    usable = (scores >= 0.0) & (scores <= 1.0)
    cells, place = np.unique(cells_of(scores[usable]), return_inverse=True)
    decided = np.bincount(place[decisions[usable]], minlength=len(cells)).astype(np.int64)
    return AnswerCounts(cells, decided, np.bincount(place, minlength=len(cells)).astype(np.int64) - decided)
