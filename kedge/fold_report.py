"""What a fold of labels found, and what it cost to find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_REASONS_SHOWN = 3


@dataclass(frozen=True)
class FoldReport:
    """Labels on their way to the rows that they belong to.

    Attributes
    ----------
    files, labels, broken : int
        Label files that were read, labels in them, and records that could not be read.
    days_opened, objects_opened : int
        Days whose ids were looked through, and the objects that were read for it.
    matched, waiting, unknown : int
        Labels that found their row | whose row may still be counted | that were given up.
    unknown_lately : int
    broken_lately : mapping of str to int
        The same of every file that the ledger still knows: labels given up, and broken records by reason.
    is_whole : bool
        Whether everything was looked at: the time of a run may be over before.
    """

    files: int = 0
    labels: int = 0
    broken: int = 0
    days_opened: int = 0
    objects_opened: int = 0
    matched: int = 0
    waiting: int = 0
    unknown: int = 0
    unknown_lately: int = 0
    broken_lately: Mapping[str, int] = field(default_factory=dict)
    is_whole: bool = True

    def then(self, later: FoldReport) -> FoldReport:
        """Both steps of one run: their work is added, and the later one says how things stand.

        >>> both = FoldReport(labels=3, waiting=2).then(FoldReport(labels=4, waiting=1))
        >>> both.labels, both.waiting
        (7, 1)
        """
        work = ("files", "labels", "broken", "days_opened", "objects_opened", "matched", "unknown")
        return FoldReport(
            **{name: getattr(self, name) + getattr(later, name) for name in work},
            waiting=later.waiting, unknown_lately=later.unknown_lately, broken_lately=later.broken_lately,
        )  # fmt: skip

    def gauges(self) -> dict[str, float]:
        """What CloudWatch is told."""
        return {"LabelsFolded": self.matched, "LabelsUnknown": self.unknown, "LabelRecordsBroken": self.broken}

    def to_json(self) -> dict[str, Any]:
        """As the performance report holds it under "join"."""
        return {
            "label_files": self.files, "labels_new": self.labels, "labels_matched": self.matched,
            "labels_waiting": self.waiting, "labels_unknown": self.unknown, "records_broken": self.broken,
            "days_opened": self.days_opened, "objects_opened": self.objects_opened,
        }  # fmt: skip

    def sentences(self, *, days: int) -> tuple[str, ...]:
        """What a reader should know of the labels collected in the last so many days.

        >>> FoldReport(broken_lately={"KeyError in a label record": 2}).sentences(days=30)
        ('of the last 30 days 2 label records cannot be read (2 KeyError in a label record)',)
        """
        if not self.broken_lately:
            return ()
        ordered = sorted(self.broken_lately.items(), key=lambda item: (-item[1], item[0]))
        some = ", ".join(f"{count} {reason}" for reason, count in ordered[:_REASONS_SHOWN])
        return (f"of the last {days} days {sum(self.broken_lately.values())} label records cannot be read ({some})",)
