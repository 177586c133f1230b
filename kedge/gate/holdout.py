"""What a check of the gate is given, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pyarrow as pa

from kedge.arrays import Bools
from kedge.config.model import ModelConfig
from kedge.performance.paired import Numbers
from kedge.slices.groupings import Grouping

Verdict = Literal["PASS", "REFUSE"]


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
    """

    labels: Numbers
    challenger: Numbers
    champion: Numbers | None
    config: ModelConfig
    table: pa.Table
    groupings: Mapping[str, Grouping] = field(default_factory=dict)
    slices: Mapping[str, Bools] = field(default_factory=dict)
    learnt: Numbers | None = None

    @property
    def answers(self) -> dict[str, Numbers]:
        """Of "challenger" and, where there is one, "champion"."""
        champion = {} if self.champion is None else {"champion": self.champion}
        return {"challenger": self.challenger, **champion}


@dataclass(frozen=True)
class GateRow:
    """One requirement: what was asked, what was found, and the verdict in words.

    Where both models were measured by a metric, `metric` names it, and `champion` and `challenger` are its values.
    """

    gate: str
    limit: float
    value: float
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
    """PASS only if every row passes."""

    rows: tuple[GateRow, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst row's verdict."""
        return "PASS" if all(row.verdict == "PASS" for row in self.rows) else "REFUSE"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was refused, or by how much it passed: what was measured before the formalities."""
        refused = tuple(row.reason for row in self.rows if row.verdict == "REFUSE")
        return refused or tuple(row.reason for row in sorted(self.rows, key=lambda row: row.low is None))
