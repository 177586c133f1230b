"""What a check of the gate is given, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from kedge.arrays import Bools
from kedge.columns.casting import cast_numbers
from kedge.config.model import ModelConfig
from kedge.gate.facts import Beside
from kedge.performance.measures import Numbers, Truth, truth_of
from kedge.slices.groupings import Grouping

# A warning is for people to look at: it refuses nothing.
Verdict = Literal["PASS", "WARN", "REFUSE"]


@dataclass(frozen=True, eq=False)
class Holdout:
    """The rows that both models answered.

    Attributes
    ----------
    labels : ndarray, shape (n_rows,)
        1 for the positive class and 0 for the other | codes of classes | numbers.
    challenger, champion : ndarray, shape (n_rows,)
        Scores | codes of classes, negative for none of them | numbers; `champion` is None for a first package.
    config : ModelConfig
    table : Table
        The rows: the label, the features, and the sensitive columns and the business's that are known of them.
    groupings : mapping of str to Grouping
        How the rows are grouped by each column.
    slices : mapping of str to ndarray of bool, shape (n_rows,)
        Named groups of rows.
    learnt : ndarray, shape (n_training_rows,), optional
        Labels of the training rows, written as `labels`; where absent, the holdout's own, which no model could know.
    beside : Beside
        What is known of both models that no holdout row shows.
    """

    labels: Numbers
    challenger: Numbers
    champion: Numbers | None
    config: ModelConfig
    table: pa.Table
    groupings: Mapping[str, Grouping] = field(default_factory=dict)
    slices: Mapping[str, Bools] = field(default_factory=dict)
    learnt: Numbers | None = None
    beside: Beside = field(default_factory=Beside)

    @property
    def truth(self) -> Truth:
        """What came true, and what an error costs."""
        config, name = self.config, self.config.performance.cost_column
        costs = None
        if name is not None and name in self.table.column_names:
            costs = np.nan_to_num(cast_numbers(self.table.column(name), "float64").values, posinf=0.0, neginf=0.0)
        return truth_of(config, self.labels, costs)

    @property
    def answers(self) -> dict[str, Numbers]:
        """Of "challenger" and, where there is one, "champion"."""
        champion = {} if self.champion is None else {"champion": self.champion}
        return {"challenger": self.challenger, **champion}


@dataclass(frozen=True)
class GateRow:
    """One requirement: what was asked, what was found, and the verdict in words.

    Where both models were measured by a metric, `metric` names it, and `champion` and `challenger` are its values. Without a
    `limit` the row tells and decides nothing; without a `value` it could not be measured.
    """

    gate: str
    limit: float | None
    value: float | None
    verdict: Verdict
    reason: str
    low: float | None = None
    high: float | None = None
    metric: str | None = None
    champion: float | None = None
    challenger: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values; what does not apply is absent."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class GateReport:
    """PASS unless a row refuses."""

    rows: tuple[GateRow, ...]

    @property
    def verdict(self) -> Verdict:
        """REFUSE if a row does."""
        return "REFUSE" if any(row.verdict == "REFUSE" for row in self.rows) else "PASS"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was refused; or by how much it passed, then the warnings, then the formalities."""
        refused = tuple(row.reason for row in self.rows if row.verdict == "REFUSE")
        rank = {"PASS": 0, "WARN": 1}
        return refused or tuple(
            row.reason for row in sorted(self.rows, key=lambda row: (row.low is None) + rank.get(row.verdict, 0))
        )
