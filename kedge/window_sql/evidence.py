"""What Athena has counted of a window, as the counts that `kedge.quality` judges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from kedge.estimation.estimators import ClassEstimator, LossEstimator
from kedge.estimation.expected_metrics import AnswerCounts
from kedge.estimation.report import WindowEstimates
from kedge.outcomes.binary import CALIBRATION_BINS, BinaryCounts
from kedge.outcomes.costs import CostSums
from kedge.outcomes.counts import OutcomeCounts
from kedge.outcomes.multiclass import ClassCounts
from kedge.outcomes.outcomes import OutcomeFaults
from kedge.outcomes.regression import ErrorCounts, moments_about
from kedge.outcomes.score_cells import rank_cells
from kedge.performance.business import FigureSums
from kedge.window_sql.counts import CountsSql
from kedge.window_sql.parts import Counted, CountedPart


@dataclass(frozen=True)
class CountedWindow:
    """A window's counts as `CountsSql` has asked for them."""

    counted: Counted
    sql: CountsSql

    def outcomes(self, variant: int | None = None) -> tuple[OutcomeCounts, OutcomeFaults, int]:
        """The measured rows, what could not be measured, and how many labelled rows are too young; of one variant alone, if it is named."""
        states = self._part("states", variant)
        unlabelled, unanswered, strange_labels, strange_answers, outside, young = (
            int(states.total(place)) for place in range(1, 7)
        )
        faults = OutcomeFaults(
            unlabelled=unlabelled,
            unanswered=unanswered,
            strange_labels=strange_labels,
            strange_answers=strange_answers,
            not_probabilities=outside,
        )
        return self._counts(variant), faults, young

    @property
    def new_labelled_rows(self) -> int:
        """Ripe labelled rows that the champion cannot have learnt from."""
        return int(self.counted.of("states").total(7))

    def estimates(self, *, start: datetime, end: datetime) -> WindowEstimates | None:
        """The estimate from the answers; None if the champion's holdout gives no estimator."""
        estimator: Any = self.sql.estimator
        if estimator is None:
            return None
        confidence, answered = self.sql.rows.config.performance.confidence, int(self.counted.of("states").total(8))
        measured = self._counts(None).rows
        metrics = estimator.estimate(self._answers(labelled=False), confidence) if answered else {}
        of_labelled = estimator.estimate(self._answers(labelled=True), confidence) if measured else {}
        return WindowEstimates(estimator.method, metrics, answered, start, end, of_labelled)

    @cached_property
    def figures(self) -> dict[str, FigureSums]:
        """The business's figures of the window's answers."""
        found = {}
        for place, figure in enumerate(self.sql.rows.config.business):
            mine = self.counted.of("figures").where("i", place)
            if len(mine):
                found[figure.name] = FigureSums(int(mine.total(1)), mine.total(2), mine.total(3))
        return found

    def _part(self, name: str, variant: int | None) -> CountedPart:
        found = self.counted.of(name)
        return found if variant is None else found.where("i", variant)

    def _counts(self, variant: int | None) -> OutcomeCounts:
        problem = self.sql.rows.config.problem
        if problem == "binary_classification":
            return self._binary(variant)
        return self._classes(variant) if problem == "multiclass_classification" else self._errors(variant)

    def _binary(self, variant: int | None) -> BinaryCounts:
        scores, cells = self._part("scores", variant), self._part("cells", variant)
        if not len(scores):
            return BinaryCounts()
        rows, label, decided, bins = scores.rows, scores.key("c"), scores.key("b"), scores.key("a")
        confusion = np.bincount(label * 2 + decided, rows, 4).astype(np.int64).tolist()
        negative, positive = (cells.sums(place).astype(np.int64) for place in (2, 3))
        some = negative + positive > 0
        ranked = rank_cells(cells.key("a")[some], positive[some], negative[some], self.sql.facts.cleared_bits)
        by_bin = [np.bincount(bins, weights, CALIBRATION_BINS) for weights in (rows, rows * label, scores.sums(1))]
        names = ("score", "squared_error", "squared_error_squared", "log_loss", "log_loss_squared")
        sums = {name: scores.total(place + 1) for place, name in enumerate(names)}
        outcomes = ("true_negative", "false_positive", "false_negative", "true_positive")
        costs = self._costs(scores, decided != label, 6)
        found: dict[str, Any] = ranked | dict(zip(outcomes, confusion, strict=True)) | sums
        return BinaryCounts(**found, bins=np.array(by_bin, np.float64), costs=costs)

    def _classes(self, variant: int | None) -> ClassCounts:
        found, classes = self._part("classes", variant), self.sql.rows.config.classes
        confusion = np.zeros((len(classes), len(classes)), np.int64)
        if not len(found):
            return ClassCounts(classes, confusion)
        answered, label = found.key("a"), found.key("b")
        np.add.at(confusion, (label, answered), found.rows)
        costs = self._costs(found, answered != label, 4)
        return ClassCounts(classes, confusion, int(found.total(1)), found.total(2), found.total(3), costs)

    def _errors(self, variant: int | None) -> ErrorCounts:
        errors, costs, moments = (self._part(name, variant) for name in ("errors", "costs", "moments"))
        rows = int(errors.rows.sum()) if len(errors) else 0
        if not rows:
            return ErrorCounts()
        about = tuple(moments.total(place) for place in range(1, 7))
        lost, staked, lost_squared, staked_squared, product = (costs.total(place) for place in range(1, 6))
        amounts = CostSums(rows, lost, staked, lost_squared, staked_squared, product)
        return ErrorCounts(
            rows=rows,
            error=errors.total(1),
            absolute_error=errors.total(2),
            squared_error=errors.total(3),
            squared_error_squared=errors.total(4),
            quantile_loss=errors.total(5),
            quantile_loss_squared=errors.total(6),
            relative_rows=int(costs.total(6)),
            relative_error=costs.total(7),
            relative_error_squared=costs.total(8),
            labels=moments_about(self.sql.facts.mean_label, rows, about, errors.total(3)),
            costs=amounts if self._has_costs else CostSums(),
        )

    @property
    def _has_costs(self) -> bool:
        name = self.sql.rows.config.performance.cost_column
        return name is not None and self.sql.rows.rows.value(name) is not None

    def _costs(self, found: CountedPart, wrong: Any, place: int) -> CostSums:
        """Costs of answers that are right or wrong, from the sums of the costs and of their squares."""
        if not self._has_costs:
            return CostSums()
        staked, squares = found.sums(place), found.sums(place + 1)
        lost, lost_squared = float(staked[wrong].sum()), float(squares[wrong].sum())
        rows = int(found.rows.sum())
        return CostSums(rows, lost, float(staked.sum()), lost_squared, float(squares.sum()), lost_squared)

    def _answers(self, *, labelled: bool) -> Any:
        """The window's answers as the estimator counts them: those inside, or those that were measured."""
        estimator = self.sql.estimator
        if isinstance(estimator, LossEstimator):
            found = self.counted.of("bands")
            rows = found.sums(2 if labelled else 1)
            return np.bincount(found.key("a"), rows, len(estimator.bands.rows)).astype(np.int64)
        if not isinstance(estimator, ClassEstimator):
            found = self.counted.of("cells")
            return _answers(found, found.sums(2) + found.sums(3) if labelled else found.sums(1))
        of_class = self.counted.of("of_class")
        if not self.sql.rows.config.prediction.probabilities:
            return ()
        sides = (of_class.where("i", k) for k in range(len(estimator.classes)))
        return tuple(_answers(side, side.sums(2 if labelled else 1)) for side in sides)


def _answers(found: CountedPart, rows: Any) -> AnswerCounts:
    if not len(found):
        return AnswerCounts()
    some = rows > 0
    cells, places = np.unique(found.key("a")[some], return_inverse=True)
    decided = found.key("b")[some] == 1
    counts = [np.bincount(places, rows[some] * side, len(cells)).astype(np.int64) for side in (decided, ~decided)]
    return AnswerCounts(cells, *counts)
