"""What came of a window's answers, counted by Athena: outcomes, estimates, and business figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from kedge.config.policies import BusinessFigure
from kedge.estimation.estimators import ClassEstimator, Estimator, LossEstimator
from kedge.labels.join_sql import sql_moment
from kedge.outcomes.binary import CALIBRATION_BINS
from kedge.outcomes.score_cells import MAXIMUM_CELLS
from kedge.performance.business import CAME_TRUE, DECIDED
from kedge.window_sql.facts import JoinedFacts
from kedge.window_sql.joined import KNOWN, OUTSIDE, UNREADABLE, RowSql
from kedge.window_sql.parts import part, total
from kedge.window_sql.values import band_code, double, log_loss, score_cell

_ANSWERED = f"ak = {KNOWN}"
_LABELLED = f"ys = {KNOWN}"
_MEASURED = f"ripe AND {_ANSWERED} AND {_LABELLED}"
# The more classes there are, the fewer bits a probability keeps: all together have no more cells than one score.
_BINADES, _CELL_BITS = 64, 28


@dataclass(frozen=True)
class CountsSql:
    """The second queries over the joined rows.

    Attributes
    ----------
    rows : RowSql
    facts : JoinedFacts
    estimator : Estimator or None
        The champion's: what it counts of the answers.
    learnt_until : datetime or None
        The end of what the champion has learnt from.
    """

    rows: RowSql
    facts: JoinedFacts
    estimator: Estimator | None = None
    learnt_until: datetime | None = None

    def parts(self) -> list[str]:
        """Each SELECT."""
        outcomes = {
            "binary_classification": self._binary,
            "multiclass_classification": self._classes,
            "regression": self._errors,
        }[self.rows.config.problem]()
        return [self._states(), *outcomes, *self._estimates(), *self._figures()]

    def _states(self) -> str:
        age = f"t > {sql_moment(self.learnt_until)}" if self.learnt_until else "true"
        sums = [
            total(f"ripe AND {_ANSWERED} AND ys <> {KNOWN}"),
            total(f"ripe AND ak <> {KNOWN}"),
            total("ripe AND ys < 0"),
            total(f"ripe AND ak = {UNREADABLE}"),
            total(f"ripe AND ak = {OUTSIDE}"),
            total(f"NOT ripe AND {_LABELLED}"),
            total(f"ripe AND {_LABELLED} AND {age}"),
            total(f"inside AND {_ANSWERED}"),
        ]
        return part("states", self.rows.select(), keys={"i": "variant"}, sums=sums)

    def _binary(self) -> list[str]:
        decided = f"CASE WHEN a >= {double(self.rows.config.prediction.threshold)} THEN 1 ELSE 0 END"
        edges = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)[1:-1]
        more = [
            f"{band_code('a', edges)} AS bin",
            f"{decided} AS decided",
            "(a - y) * (a - y) AS wrong",
            f"{log_loss('(CASE WHEN y = 1 THEN a ELSE 1E0 - a END)')} AS lost",
            f"{score_cell('a', self.facts.cleared_bits)} AS cell",
        ]
        source = f"{self.rows.select(more)} WHERE {_ANSWERED}"
        values = ("a", "wrong", "wrong * wrong", "lost", "lost * lost", "cost", "cost * cost")
        sums = [f"sum({value})" for value in values]
        keys = {"i": "variant", "a": "bin", "b": "decided", "c": "y"}
        measured = part("scores", f"{source} AND ripe AND {_LABELLED}", keys=keys, sums=sums)
        by_cell = [
            total("inside"),
            total(f"ripe AND {_LABELLED} AND y = 0"),
            total(f"ripe AND {_LABELLED} AND y = 1"),
        ]
        some = f"{source} AND (inside OR ripe AND {_LABELLED})"
        return [measured, part("cells", some, keys={"i": "variant", "a": "cell", "b": "decided"}, sums=by_cell)]

    def _classes(self) -> list[str]:
        source = f"{self.rows.select(self.rows.chances())} WHERE {_MEASURED}"
        sums = [
            total("scored"),
            total("scored", "lost"),
            total("scored", "lost * lost"),
            "sum(cost)",
            "sum(cost * cost)",
        ]
        return [part("classes", source, keys={"i": "variant", "a": "a", "b": "y"}, sums=sums)]

    def _errors(self) -> list[str]:
        quantile, about = self.rows.config.performance.quantile, double(self.facts.mean_label)
        loss = f"(CASE WHEN e < 0E0 THEN {double(-quantile)} * e ELSE {double(1 - quantile)} * e END)"
        source = f"{self.rows.select(['a - y AS e', f'y - {about} AS d'])} WHERE {_MEASURED}"
        share = "abs(e) / abs(y)"
        of = {
            "errors": ("e", "abs(e)", "e * e", "e * e * e * e", loss, f"{loss} * {loss}"),
            "moments": ("d", "d * d", "d * d * d", "d * d * d * d", "e * e * d", "e * e * d * d"),
        }
        amounts = ("cost * abs(e)", "cost", "cost * e * cost * e", "cost * cost", "cost * abs(e) * cost")
        relative = [
            total("y <> 0E0"),
            total("y <> 0E0", f"({share})"),
            total("y <> 0E0", f"({share}) * ({share})"),
        ]
        found = {name: [f"sum({value})" for value in values] for name, values in of.items()}
        found["costs"] = [*(f"sum({value})" for value in amounts), *relative]
        return [part(name, source, keys={"i": "variant"}, sums=sums) for name, sums in found.items()]

    def _estimates(self) -> list[str]:
        sums = [total("inside"), total(f"ripe AND {_LABELLED}")]
        if isinstance(self.estimator, LossEstimator):
            band = f"{band_code('a', self.estimator.bands.edges)} AS band"
            source = f"{self.rows.select([band])} WHERE {_ANSWERED}"
            return [part("bands", source, keys={"a": "band"}, sums=sums)]
        if not isinstance(self.estimator, ClassEstimator) or not self.rows.config.prediction.probabilities:
            return []
        bits = self._class_bits(len(self.estimator.classes))
        found = []
        for k in range(len(self.estimator.classes)):
            more = [f"{self.rows.probability(k)} AS p"]
            inner = f"{self.rows.select(more)} WHERE {_ANSWERED} AND p BETWEEN 0E0 AND 1E0"
            keys = {"i": str(k), "a": score_cell("p", bits), "b": f"CASE WHEN a = {k} THEN 1 ELSE 0 END"}
            found.append(part("of_class", inner, keys=keys, sums=sums))
        return found

    def _class_bits(self, classes: int) -> int:
        share = MAXIMUM_CELLS // classes
        if self.facts.labels.rows <= share:
            return 0
        return max(_CELL_BITS - int(np.log2(max(share // _BINADES, 1))), 0)

    def _figures(self) -> list[str]:
        found = []
        for place, figure in enumerate(self.rows.config.business):
            value = self.rows.number(figure.column or figure.label_field or "")
            if value is not None:
                usable = f"{_ANSWERED} AND ripe AND {_LABELLED}" if figure.label_field else _ANSWERED
                source = f"{self.rows.select([f'{value} AS x'])} WHERE {usable}"
                x = self._contribution(figure)
                sums = [f"count({x})", f"sum({x})", f"sum({x} * {x})"]
                found.append(part("figures", source, keys={"i": str(place)}, sums=sums))
        return found

    def _contribution(self, figure: BusinessFigure) -> str:
        """As `figure_values` counts a row."""
        config = self.rows.config
        if figure.over == "all" or config.problem != "binary_classification":
            return "x"
        side = ">=" if figure.over in DECIDED else "<"
        about = f"a {side} {double(config.prediction.threshold)}"
        if not figure.needs_label:
            return f"(CASE WHEN {about} THEN x ELSE 0E0 END)"
        unknown = f"NOT ({about}) THEN 0E0 WHEN NOT (ripe AND {_LABELLED}) THEN NULL"
        if figure.over not in CAME_TRUE:
            return f"(CASE WHEN {unknown} ELSE x END)"
        return f"(CASE WHEN {unknown} WHEN y = {CAME_TRUE[figure.over]} THEN x ELSE 0E0 END)"
