"""Business figures of a window: a value per prediction or per label, as sums that add."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Bools, Floats, Ints
from kedge.columns.casting import cast_numbers
from kedge.comparisons import figures, in_words
from kedge.config.model import ModelConfig
from kedge.config.policies import BusinessFigure, PerformanceLimit
from kedge.intervals import Estimate, mean_interval, z_of
from kedge.outcomes.columns import answer_column, label_column
from kedge.performance.limits import bounds_of, judge_limit
from kedge.severity import Severity
from kedge.statistics.holm import holm_adjusted
from kedge.stored import build

# The rows that a figure counts: by decision, and, if the first word says right or wrong, by the label too.
DECIDED = {"decided_positive": True, "true_positive": True, "false_positive": True}
# What must have come true, of figures about right or wrong decisions.
CAME_TRUE = {"true_positive": 1, "false_positive": 0, "true_negative": 0, "false_negative": 1}


@dataclass(frozen=True)
class FigureSums:
    """Rows whose value is known, the sum of their values, and the sum of squares."""

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: FigureSums) -> FigureSums:
        return FigureSums(self.rows + other.rows, self.total + other.total, self.squares + other.squares)

    def mean(self, name: str, confidence: float) -> Estimate | None:
        """Mean per row with its interval by the central limit theorem; None if no value is known.

        >>> FigureSums(2, 30.0, 500.0).mean("revenue", 0.95).value
        15.0
        """
        return mean_interval(name, self.total, self.squares, self.rows, z_of(confidence)) if self.rows else None


@dataclass(frozen=True)
class FigureReport:
    """One business figure of one window.

    Attributes
    ----------
    reference : float or None
        Its mean on the champion's holdout, if known.
    alert : Severity or None
        What it raises, where the YAML lets it alarm: OK within its limits, INSUFFICIENT_DATA from too few rows.
    """

    figure: BusinessFigure
    mean: Estimate
    sums: FigureSums
    severity: Severity
    reason: str
    reference: float | None = None
    alert: Severity | None = None

    def to_json(self) -> dict[str, Any]:
        """As the report holds it under "performance", "business"; what does not apply is absent."""
        row: dict[str, Any] = {
            "name": self.figure.name,
            "value": self.mean.value,
            "low": self.mean.low,
            "high": self.mean.high,
            "total": self.sums.total,
            "rows": self.sums.rows,
            "severity": self.severity.value,
            "reason": self.reason,
        }
        alert = self.alert.value if self.alert and self.alert > Severity.OK else None
        optional = {"unit": self.figure.unit or None, "reference": self.reference, "alert": alert}
        return row | {name: value for name, value in optional.items() if value is not None}


def figure_values(
    figure: BusinessFigure, table: pa.Table, decided: Bools | None = None, truth: Ints | None = None
) -> Floats | None:
    """Each row's contribution; NaN if its value, or the label that it depends on, is not known.

    Rows that the figure does not count contribute 0, so that the mean is per prediction. None if the table lacks the
    column.

    Parameters
    ----------
    decided : ndarray of bool, shape (n_rows,), optional
        Whether the decision was positive; needed unless the figure counts all rows.
    truth : ndarray of int, shape (n_rows,), optional
        1 and 0 for the classes, below 0 without a label; needed for figures about right or wrong decisions.

    >>> loss_avoided = BusinessFigure(name="loss_avoided", column="adr", over="true_positive")
    >>> rows = pa.table({"adr": [80.0, 90.0, 70.0]})
    >>> figure_values(loss_avoided, rows, np.array([True, True, False]), np.array([1, 0, -1])).tolist()
    [80.0, 0.0, 0.0]
    """
    name = figure.column or figure.label_field
    if name not in table.column_names:
        return None
    values = cast_numbers(table.column(name), "float64").values
    values = np.where(np.isfinite(values), values, np.nan)
    counted = _counted(figure, decided, truth)
    if counted is None:
        return values
    about, unknown = counted
    return np.where(unknown, np.nan, np.where(about, values, 0.0))


def _counted(figure: BusinessFigure, decided: Bools | None, truth: Ints | None) -> tuple[Bools, Bools] | None:
    """The rows that a figure counts, and the rows for which that is not known yet; None if it counts all."""
    if figure.over == "all" or decided is None:
        return None
    about = decided == (figure.over in DECIDED)
    if not figure.needs_label or truth is None:
        return about, np.zeros(len(about), bool)
    wanted = CAME_TRUE.get(figure.over)
    # The figure does not count a row that was decided the other way, whatever its label will be.
    return about if wanted is None else about & (truth == wanted), about & (truth < 0)


def add_up(values: Floats) -> FigureSums:
    """Sums over the rows whose value is known.

    >>> add_up(np.array([1.0, np.nan, 3.0]))
    FigureSums(rows=2, total=4.0, squares=10.0)
    """
    known = values[np.isfinite(values)]
    return FigureSums(len(known), float(known.sum()), float((known**2).sum()))


def window_figures(
    table: pa.Table, prediction: str, config: ModelConfig, *, label: str, ripe: Bools
) -> dict[str, FigureSums]:
    """Sums of every figure over a window's answers; a figure that depends on a label counts ripe labels only.

    Parameters
    ----------
    table : Table
        Answers, labels, and the figures' columns.
    ripe : ndarray of bool, shape (n_rows,)
        Rows old enough for their label to be in.
    """
    if not config.business:
        return {}
    answer = answer_column(table.column(prediction), config.problem, config.classes)
    labels = label_column(table.column(label), config.problem, config.classes)
    known = labels.known & ripe
    decided = truth = None
    if config.problem == "binary_classification":
        decided = answer.values >= config.prediction.threshold
        truth = np.where(known, labels.values, -1).astype(np.int64)
    found = {}
    for figure in config.business:
        values = figure_values(figure, table, decided, truth)
        if values is not None:
            usable = answer.known & known if figure.label_field else answer.known
            found[figure.name] = add_up(values[usable])
    return found


def judge_figures(
    figures: tuple[BusinessFigure, ...],
    window: Mapping[str, FigureSums],
    reference: Mapping[str, FigureSums],
    *,
    confidence: float,
    minimum_rows: int = 1,
) -> tuple[FigureReport, ...]:
    """Report each figure beside its reference, and judge it if the YAML sets a bound.

    CRITICAL if all of the mean's interval is beyond the bound, WARNING if only the mean is. A figure alarms, where the YAML
    says so, if it is CRITICAL on at least `minimum_rows` rows and stays beyond its bound after Holm's correction over all bounds
    that may alarm: of one figure that is the interval itself.

    >>> figure = BusinessFigure(name="revenue", column="adr", at_least=100.0)
    >>> judge_figures((figure,), {"revenue": FigureSums(100, 8000.0, 650000.0)}, {}, confidence=0.95)[0].severity.value
    'CRITICAL'
    """
    found = []
    for figure in figures:
        sums = window.get(figure.name, FigureSums())
        mean = sums.mean(figure.name, confidence)
        if mean is None or not math.isfinite(mean.value):
            continue
        severity, reason = (
            Severity.OK,
            f"{figure.name} is {in_words(mean.value)} per prediction ({in_words(sums.total)} in total)",
        )
        for limit in figure.limits:
            verdict = judge_limit(limit, mean, None, confidence=confidence)
            if verdict.severity > severity:
                severity, reason = verdict.severity, _out_of_bounds(limit, mean, verdict.severity)
        before = reference.get(figure.name, FigureSums()).mean(figure.name, confidence)
        found.append(FigureReport(figure, mean, sums, severity, reason, before.value if before else None))
    return _with_alerts(found, confidence, minimum_rows)


def _with_alerts(found: list[FigureReport], confidence: float, minimum_rows: int) -> tuple[FigureReport, ...]:
    places = [n for n, one in enumerate(found) if one.figure.alert and one.sums.rows >= minimum_rows]
    bounds = [(n, limit) for n in places for limit in found[n].figure.limits]
    p_values = holm_adjusted(np.array([_beyond(limit, found[n].mean) for n, limit in bounds])) if bounds else ()
    certain = {n for (n, _), p in zip(bounds, p_values, strict=True) if p < (1 - confidence) / 2}
    told: list[FigureReport] = []
    for n, one in enumerate(found):
        alert = None
        if one.figure.alert:
            alarms = n in certain and one.severity is Severity.CRITICAL
            judged = Severity(one.figure.alert) if alarms else Severity.OK
            alert = judged if n in places else Severity.INSUFFICIENT_DATA
        told.append(replace(one, alert=alert))
    return tuple(told)


def _out_of_bounds(limit: PerformanceLimit, mean: Estimate, severity: Severity) -> str:
    value, low, high = figures(mean.value, mean.low, mean.high)
    sure = "" if severity is Severity.CRITICAL else ", but not clearly"
    words = bounds_of(limit, None).words
    return f"{mean.name} is beyond its limit{sure}: {value} per prediction ({low} to {high}), limit {words}"


def _beyond(limit: PerformanceLimit, mean: Estimate) -> float:
    """One-sided p-value of a mean that lies beyond its bound; 1 within it."""
    over = limit.at_least - mean.value if limit.at_least is not None else mean.value - float(limit.at_most or 0.0)
    if over <= 0 or not mean.standard_error:
        return float(over <= 0)
    # Not scipy's: snapshot_data reads a baseline's figures, and has no layer with scipy.
    return 0.5 * math.erfc(over / mean.standard_error / math.sqrt(2))


def encode_figures(sums: Mapping[str, FigureSums]) -> dict[str, Any]:
    """As JSON values."""
    return {name: asdict(found) for name, found in sums.items()}


def decode_figures(data: Mapping[str, Any]) -> dict[str, FigureSums]:
    """The sums that `encode_figures` wrote.

    >>> decode_figures(encode_figures({"a": FigureSums(1, 2.0, 4.0)}))["a"].total
    2.0
    """
    return {name: build(FigureSums, found) for name, found in data.items()}
