"""How good a window's answers are, in a few verdicts: what alarms, retrainings and backtests ask of its quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kedge.severity import Severity


@dataclass(frozen=True)
class QualityVerdicts:
    """The verdicts on a window's answers.

    Attributes
    ----------
    measured : Severity or None
        What the labels say; None where none were joined.
    estimated : Severity or None
        The estimate, if the labels judge nothing; else None.
    unequal : Severity or None
        How unlike groups of people are treated; None where no sensitive column was judged.
    moved : Severity or None
        CRITICAL where P(y given x) has clearly moved, else None. People hear of it; no retraining is decided by it.
    chosen : mapping of str to Severity
        The parts that alarm only where the YAML says so (`alert` of the segments and of a business figure), by name. No retraining
        is decided by them either.
    """

    measured: Severity | None = None
    estimated: Severity | None = None
    unequal: Severity | None = None
    moved: Severity | None = None
    chosen: Mapping[str, Severity] = field(default_factory=dict)

    @property
    def known(self) -> tuple[Severity, ...]:
        """Those that are there.

        >>> [severity.value for severity in QualityVerdicts(Severity.OK, unequal=Severity.WARNING).known]
        ['OK', 'WARNING']
        """
        found = (self.measured, self.estimated, self.unequal, self.moved)
        return (*(severity for severity in found if severity is not None), *self.chosen.values())

    @property
    def loss(self) -> bool | None:
        """Whether quality is clearly beyond its limits; None where it was not measured."""
        if self.measured in (None, Severity.INSUFFICIENT_DATA):
            return None
        return self.measured is Severity.CRITICAL
