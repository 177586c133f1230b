"""What slices are cut with: the groups of each feature, and the cells of the answers, frozen with the baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kedge.cells import coarse_starts
from kedge.groupings import BANDS, LEVELS, Grouping
from kedge.model_config import Problem
from kedge.profile import Baseline

Ints = NDArray[np.int64]
SCORE_CELLS = 64


@dataclass(frozen=True)
class SliceRuler:
    """What slices are cut with, frozen on the reference: the groups, and the cells of the answers.

    Attributes
    ----------
    groupings : tuple of Grouping
        Of the features; the last one is the answer's own bands (or classes).
    edges : tuple of float
        Inner edges of the answers' cells: about 70 for probabilities, 10 for a regression; none for classes.
    classes : int
        Classes of a multiclass problem, each a cell.
    """

    problem: Problem
    groupings: tuple[Grouping, ...]
    edges: tuple[float, ...] = ()
    classes: int = 0

    @property
    def cells(self) -> int:
        """Cells of the answers."""
        return self.classes or len(self.edges) + 1

    @property
    def outcomes(self) -> int:
        """Outcomes counted apart in a cell: missed or hit; a regression has one."""
        return 1 if self.problem == "regression" else 2

    @cached_property
    def by_column(self) -> dict[str, Grouping]:
        """The grouping of each column."""
        return {grouping.column: grouping for grouping in self.groupings}

    @cached_property
    def bands(self) -> Ints:
        """The answer's band, a group of its column, of each cell."""
        if self.classes:
            return np.arange(self.classes)
        return np.searchsorted(np.array(self.groupings[-1].edges), np.array([*self.edges, np.inf]), side="left").astype(
            np.int64
        )

    def key(self) -> str:
        """Name of the ruler, for people: counts of another are refused."""
        content = repr((self.problem, self.groupings, self.edges, self.classes))
        return f"slices cut by {hashlib.sha256(content.encode()).hexdigest()[:8]}"


def freeze_ruler(
    baseline: Baseline, problem: Problem, *, classes: Sequence[str] = (), columns: Sequence[str] | None = None
) -> SliceRuler:
    """Cut features and answers at the baseline's own cells.

    At most ten bands of about equal baseline rows, or the 20 most frequent levels. Two-class answers that are decisions and no
    probabilities are counted as classes are.

    Parameters
    ----------
    baseline : Baseline
        Its prediction column gives the cells of the answers.
    classes : sequence of str
        Of a classification, by code.
    columns : sequence of str, optional
        Features to slice by; every watched one if None.
    """
    features = [c for c in baseline.columns if c.role == "feature" and c.kind in ("numeric", "categorical", "boolean")]
    chosen = [c.name for c in features if columns is None or c.name in columns]
    groupings = [grouping_of(baseline, name) for name in chosen]
    answer = next(column.name for column in baseline.columns if column.role == "prediction")
    if problem == "multiclass_classification" or _are_decisions(baseline, answer):
        own = Grouping(answer, "categorical", levels=tuple(classes))
        return SliceRuler("multiclass_classification", (*groupings, own), classes=len(classes))
    bands = _edges(baseline, answer, BANDS)
    # Every band is made of whole cells.
    cells = {*bands, *(_edges(baseline, answer, SCORE_CELLS) if problem == "binary_classification" else ())}
    return SliceRuler(problem, (*groupings, Grouping(answer, "numeric", edges=bands)), edges=tuple(sorted(cells)))


def grouping_of(baseline: Baseline, name: str) -> Grouping:
    """One watched column's groups.

    >>> import pyarrow as pa
    >>> from kedge.columns import Column
    >>> from kedge.profile import freeze_baseline
    >>> column = Column("adr", "feature", "numeric", "float64")
    >>> rows = pa.table({"adr": [1.0, 1.0, 2.0, 3.0]})
    >>> grouping_of(freeze_baseline("m", "1", (column,), rows, rows), "adr").names
    ('at most 1', '1 to 2', 'above 2', 'missing')
    """
    bins = baseline.bins[name]
    if len(bins.edges):
        return Grouping(name, "numeric", edges=_edges(baseline, name, BANDS))
    return Grouping(name, "categorical", levels=tuple(bins.levels[:LEVELS]))


def _edges(baseline: Baseline, name: str, cells: int) -> tuple[float, ...]:
    starts = coarse_starts(baseline.column(baseline.profile, name).cells, cells=cells)
    return tuple(baseline.bins[name].edges[starts[1:] - 1].tolist())


def _are_decisions(baseline: Baseline, answer: str) -> bool:
    edges = baseline.bins[answer].edges
    return not len(edges) or bool(np.isin(edges[np.abs(edges) > 1e-300].round(9), (0.0, 1.0)).all())
