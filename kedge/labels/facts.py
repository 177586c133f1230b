"""What is known of a window's labels as a whole, whichever engine joined them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kedge.comparisons import counted
from kedge.labels.horizon import TimeCounts

_NONE = TimeCounts(np.zeros(0), np.zeros(0, np.int64))


@dataclass(frozen=True)
class LabelFaults:
    """What is odd about answers and their labels.

    Attributes
    ----------
    strange : int
        Labels that are not a class, or not a number: they count as missing.
    newer : int
        Labels of classes that the YAML names now and the package does not know: they count as missing.
    unmatched : int
        Labels collected lately whose id no answered row has.
    repeated, conflicting : int
        Answers to an id that was answered again later, and those of them that differ from the last answer, which counts.
    """

    strange: int = 0
    newer: int = 0
    unmatched: int = 0
    repeated: int = 0
    conflicting: int = 0

    def sentences(self) -> tuple[str, ...]:
        """What a reader should know about it.

        >>> LabelFaults(repeated=2, conflicting=1).sentences()
        ('1 answer contradicted by a later one to the same id: the last one counts',)
        """
        said = []
        if self.conflicting:
            said.append(
                f"{counted(self.conflicting, 'answer')} contradicted by a later one to the same id: the last one counts"
            )
        if self.unmatched:
            said.append(
                f"{counted(self.unmatched, 'label')} collected lately match no answered row: check the eventId, and whether every "
                "request is captured"
            )
        if self.newer:
            said.append(
                f"{counted(self.newer, 'label')} of classes that the YAML names now and this package does not know: quality "
                "is measured without them, and the next package learns from them"
            )
        return tuple(said)


@dataclass(frozen=True)
class LabelFacts:
    """Answered ids and their labels so far, counted.

    Attributes
    ----------
    rows : int
        Ids that were answered.
    delays : TimeCounts
        From answer to label, in whole minutes, of the rows with a label.
    newest_days : float or None
        Age of the newest label.
    """

    rows: int
    delays: TimeCounts = _NONE
    newest_days: float | None = None
    faults: LabelFaults = field(default_factory=LabelFaults)

    def coverage(self) -> dict[str, Any]:
        """Rows, rows with a label, the days that labels took, and the age of the newest one; facts that do not apply are absent.

        >>> sorted(LabelFacts(2, TimeCounts.of(np.array([2.0])), 7.0).coverage())
        ['label_delay_days', 'labelled_rows', 'labels_strange', 'labels_unmatched', 'newest_label_days', 'rows']
        """
        facts: dict[str, Any] = {"rows": self.rows, "labelled_rows": self.delays.total}
        facts |= {"labels_strange": self.faults.strange, "labels_unmatched": self.faults.unmatched}
        facts |= {"labels_newer": self.faults.newer} if self.faults.newer else {}
        if self.newest_days is None:
            return facts
        facts["label_delay_days"] = {"median": self.delays.median, "longest": float(self.delays.days[-1])}
        return facts | {"newest_label_days": self.newest_days}
