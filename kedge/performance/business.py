"""Business figures of a window: a value per prediction or per label, as sums that add."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Bools, Floats, Ints
from kedge.columns.casting import cast_numbers
from kedge.comparisons import in_words
from kedge.config.model import ModelConfig
from kedge.config.policies import BusinessFigure
from kedge.intervals import Estimate, mean_interval, z_of
from kedge.outcomes.columns import answer_column, label_column
from kedge.performance.limits import judge_limit
from kedge.severity import Severity
from kedge.stored import build

# The rows that a figure counts: by decision, and, if the first word says right or wrong, by the label too.
_DECIDED = {"decided_positive": True, "true_positive": True, "false_positive": True}


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
    """One business figure of one window; `reference` is its mean on the champion's holdout, if known."""

    figure: BusinessFigure
    mean: Estimate
    sums: FigureSums
    severity: Severity
    reason: str
    reference: float | None = None

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
        optional = {"unit": self.figure.unit or None, "reference": self.reference}
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
    about = decided == (figure.over in _DECIDED)
    if not figure.needs_label or truth is None:
        return about, np.zeros(len(about), bool)
    came_true = figure.over in ("true_positive", "false_negative")
    # The figure does not count a row that was decided the other way, whatever its label will be.
    return about & (truth == came_true), about & (truth < 0)


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
) -> tuple[FigureReport, ...]:
    """Report each figure beside its reference, and judge it if the YAML sets a bound.

    CRITICAL if all of the mean's interval is beyond the bound, WARNING if only the mean is.

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
                severity, reason = verdict.severity, verdict.reason
        before = reference.get(figure.name, FigureSums()).mean(figure.name, confidence)
        found.append(FigureReport(figure, mean, sums, severity, reason, before.value if before else None))
    return tuple(found)


def encode_figures(sums: Mapping[str, FigureSums]) -> dict[str, Any]:
    """As JSON values."""
    return {name: asdict(found) for name, found in sums.items()}


def decode_figures(data: Mapping[str, Any]) -> dict[str, FigureSums]:
    """The sums that `encode_figures` wrote.

    >>> decode_figures(encode_figures({"a": FigureSums(1, 2.0, 4.0)}))["a"].total
    2.0
    """
    return {name: build(FigureSums, found) for name, found in data.items()}
