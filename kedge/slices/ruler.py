"""The ruler of slices: the groups of each feature, and the cells of the answers, frozen with the baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.arrays import Ints
from kedge.columns.class_codes import class_numbers
from kedge.config.model import ModelConfig
from kedge.config.sections import Problem
from kedge.profile.baseline import Baseline
from kedge.profile.coarse_cells import coarse_starts
from kedge.slices.groupings import BANDS, LEVELS, Grouping, freeze_grouping

SCORE_CELLS = 64
# The sums over a regression's rows in each cell: of answer minus truth.
ERROR_SUMS = ("error", "absolute_error", "squared_error")
# Inner edges of the bands of a class's own probability; they are closer near 1, where a sure model has many answers.
CONFIDENCE_EDGES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)
# With more classes than this the bands are counted over all classes together: cells cost memory in every pair of features.
CLASSES_APART = 12


@dataclass(frozen=True)
class SliceRuler:
    """The ruler of slices, frozen on the reference: the groups, and the cells of the answers.

    Attributes
    ----------
    groupings : tuple of Grouping
        One for each feature; the last one holds the answer's own bands (or classes).
    edges : tuple of float
        Inner edges of the answers' cells: about 70 for probabilities, 10 for a regression. With several classes: edges of
        the answered class's probability. For two-class decisions: none.
    classes : int
        With decisions each class is a cell. With several classes (at most `CLASSES_APART`) each band of each class's probability is
        a cell, with one more for answers without a probability.
    """

    problem: Problem
    groupings: tuple[Grouping, ...]
    edges: tuple[float, ...] = ()
    classes: int = 0

    @property
    def cells(self) -> int:
        """Cells of the answers."""
        if self.classes:
            return self.apart * (len(self.edges) + 1) + 1 if self.edges else self.classes
        return len(self.edges) + 1

    @property
    def is_scored(self) -> bool:
        """Whether answers may have a probability: without one it is unknown how often they should come true."""
        return self.problem == "binary_classification" or bool(self.classes and self.edges)

    @property
    def sums(self) -> tuple[str, ...]:
        """The sums in each cell beside its rows."""
        if self.problem == "regression":
            return ERROR_SUMS
        return ("predicted",) if self.is_scored else ()

    @property
    def outcomes(self) -> int:
        """Number of outcomes that a cell counts apart: 2 (missed, hit), or 1 for a regression."""
        return 1 if self.problem == "regression" else 2

    @cached_property
    def by_column(self) -> dict[str, Grouping]:
        """The grouping of each column."""
        return {grouping.column: grouping for grouping in self.groupings}

    @cached_property
    def bands(self) -> Ints:
        """The band of each cell: answers in one band get the same correction. Without classes, a band is a group of the answer's column."""
        if self.classes:
            return np.arange(self.cells)
        return np.searchsorted(np.array(self.groupings[-1].edges), np.array([*self.edges, np.inf]), side="left").astype(
            np.int64
        )

    @cached_property
    def coarse_bands(self) -> Ints:
        """For each band, the coarse band that replaces it if its rows are few: the same probability of any class."""
        bands = np.arange(int(self.bands.max()) + 1)
        return bands % (len(self.edges) + 1) if self.classes and self.edges else bands

    def confidence_cells(
        self, answers: Ints, probabilities: NDArray[np.float64] | None
    ) -> tuple[Ints, NDArray[np.float64]]:
        """Cell of each answered class by its own probability, and that probability; 0 and the last cell without one."""
        none = np.full(len(answers), self.cells - 1, np.int64)
        if probabilities is None:
            return none, np.zeros(len(answers))
        own = probabilities[np.arange(len(answers)), answers]
        known = (own >= 0) & (own <= 1)
        own = np.where(known, own, 0.0)
        apart = answers if self.apart > 1 else np.zeros_like(answers)
        cells = apart * (len(self.edges) + 1) + np.searchsorted(np.array(self.edges), own, side="left")
        return np.where(known, cells, none).astype(np.int64), own

    def shown_as(self, hidden: Mapping[str, bool]) -> SliceRuler:
        """The same groups of the features, with names as the YAML allows; the answer's own bands and classes are always named."""
        own = self.groupings[-1]
        return replace(self, groupings=(*(grouping.shown_as(hidden) for grouping in self.groupings[:-1]), own))

    @property
    def apart(self) -> int:
        """Classes whose bands are cells of their own: 1 where all share them."""
        return self.classes if self.classes <= CLASSES_APART else 1

    def key(self) -> str:
        """Name of the ruler, for people: counts of another ruler are refused."""
        content = repr((self.problem, self.groupings, self.edges, self.classes))
        return f"slices cut by {hashlib.sha256(content.encode()).hexdigest()[:8]}"


def freeze_ruler(
    baseline: Baseline, problem: Problem, *, classes: Sequence[str] = (), columns: Sequence[str] | None = None
) -> SliceRuler:
    """Cut features and answers at the baseline's own cells.

    At most ten bands of about equal baseline rows, or the 20 most frequent levels. Two-class answers that are decisions instead
    of probabilities are counted as classes.

    Parameters
    ----------
    baseline : Baseline
        Its prediction column gives the cells of the answers.
    classes : sequence of str
        Of a classification, by code.
    columns : sequence of str, optional
        Features that cut slices; every watched one if None.
    """
    features = [c for c in baseline.columns if c.role == "feature" and c.kind in ("numeric", "categorical", "boolean")]
    chosen = [c.name for c in features if columns is None or c.name in columns]
    groupings = [grouping_of(baseline, name) for name in chosen]
    answer = next(column.name for column in baseline.columns if column.role == "prediction")
    if problem == "multiclass_classification" or _are_decisions(baseline, answer, classes):
        own = Grouping(answer, "categorical", levels=tuple(classes))
        edges = CONFIDENCE_EDGES if problem == "multiclass_classification" else ()
        return SliceRuler("multiclass_classification", (*groupings, own), edges=edges, classes=len(classes))
    bands = _edges(baseline, answer, BANDS)
    # Every band consists of whole cells.
    cells = {*bands, *(_edges(baseline, answer, SCORE_CELLS) if problem == "binary_classification" else ())}
    return SliceRuler(problem, (*groupings, Grouping(answer, "numeric", edges=bands)), edges=tuple(sorted(cells)))


def with_context(ruler: SliceRuler, holdout: pa.Table, config: ModelConfig) -> SliceRuler:
    """The ruler with a grouping for each column of the YAML's context that the holdout has, and that cuts slices.

    >>> from kedge.config.sections import Endpoint, Feature
    >>> config = ModelConfig(
    ...     model="m", endpoint=Endpoint(name="e"), features=(Feature(name="x", kind="numeric"),), context=("region", "plan")
    ... )
    >>> ruler = SliceRuler("binary_classification", (Grouping("prediction", "numeric", edges=(0.5,)),))
    >>> [grouping.column for grouping in with_context(ruler, pa.table({"region": ["north"]}), config).groupings]
    ['region', 'prediction']
    """
    wanted = config.segments.columns
    found = [
        freeze_grouping(name, "categorical", holdout.column(name))
        for name in config.context
        if name in holdout.column_names and (wanted is None or name in wanted)
    ]
    return replace(ruler, groupings=(*ruler.groupings[:-1], *found, ruler.groupings[-1]))


def grouping_of(baseline: Baseline, name: str) -> Grouping:
    """One watched column's groups.

    >>> import pyarrow as pa
    >>> from kedge.columns.casting import Column
    >>> from kedge.profile.freezing import freeze_baseline
    >>> column = Column("adr", "feature", "numeric", "float64")
    >>> rows = pa.table({"adr": [1.0, 1.0, 2.0, 3.0]})
    >>> grouping_of(freeze_baseline("m", "1", (column,), rows, rows), "adr").names
    ('at most 1', '1 to 2', 'above 2', 'missing')
    """
    bins = baseline.bins[name]
    if len(bins.edges):
        return Grouping(name, "numeric", edges=_edges(baseline, name, BANDS))
    known = len(bins.levels) + len(bins.rare)
    return Grouping(name, "categorical", levels=tuple(bins.levels[:LEVELS]), known=known)


def _edges(baseline: Baseline, name: str, cells: int) -> tuple[float, ...]:
    starts = coarse_starts(baseline.column(baseline.profile, name).cells, cells=cells)
    return tuple(baseline.bins[name].edges[starts[1:] - 1].tolist())


def _are_decisions(baseline: Baseline, answer: str, classes: Sequence[str]) -> bool:
    """Whether the answers are the classes, or only 0 and 1."""
    edges = baseline.bins[answer].edges
    pairs = [pair for pair in ((0.0, 1.0), class_numbers(classes)) if pair]
    return not len(edges) or any(
        np.isclose(edges[:, None], pair, rtol=0, atol=1e-9).any(axis=1).all() for pair in pairs
    )
