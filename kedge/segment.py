"""A slice on which the model answers badly, in numbers and in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kedge.comparisons import change, in_words
from kedge.metric_names import direction
from kedge.severity import Severity

Name = tuple[str, ...]


@dataclass(frozen=True)
class Segment:
    """A slice whose quality is worse than its own reference, or than that of the window's other rows.

    Attributes
    ----------
    columns : tuple of str
        One feature, or two.
    group : str
        The slice in words, as "market_segment=Groups".
    value, low, high : float
        The metric on the slice, with its 95 % interval.
    effect : float
        How much worse (an error: as a fraction) than the reference where that is what was lost, else than the rest.
    p_value_adjusted : float
        For all slices looked at, and all pairs that could have been.
    severity : Severity
        CRITICAL: lost against the reference. WARNING: worse than the rest, and there is no reference to say that it
        always was. OK: it always was.
    reference, rest : float or None
        The metric on the same slice of the reference, and on the window's other rows; None where undefined.
    """

    columns: Name
    group: str
    rows: int
    rows_fraction: float
    metric: str
    value: float
    low: float
    high: float
    effect: float
    p_value_adjusted: float
    severity: Severity
    reference: float | None = None
    rest: float | None = None

    @property
    def reason(self) -> str:
        """The segment in a sentence."""
        found = f"{self.metric} {in_words(self.value)}"
        if self.reference is not None:
            found = change(self.metric, self.reference, self.value, direction(self.metric))
        beside = "" if self.rest is None else f"; {in_words(self.rest)} on the other rows"
        return (
            f"{found} for {self.group}, {self.rows_fraction:.0%} of rows "
            f"(interval {in_words(self.low)} to {in_words(self.high)}){beside}"
        )

    def to_json(self) -> dict[str, Any]:
        """As the report's "performance" holds it under "segments"; what does not apply is absent."""
        found = {**vars(self), "columns": list(self.columns), "severity": self.severity.value, "reason": self.reason}
        return {name: value for name, value in found.items() if value is not None}
