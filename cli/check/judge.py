"""Two sides of rows compared: which columns, under which policy, and the report that `kedge check` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.check.profiles import count_sides
from cli.check.question import CheckQuestion
from cli.check.value_faults import refuse_faulty_values
from kedge.drift.report import DriftReport, judge_drift
from kedge.profile.baseline import Baseline
from kedge.severity import Severity, worst

if TYPE_CHECKING:
    from kedge.quality.window import WindowQuality
_NO_TIME = datetime.fromtimestamp(0, UTC)


def order_notes(sorted_by: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each file whose rows stand in the order of a column's values."""
    return [
        f"{path}: its rows are sorted by {', '.join(map(repr, names))}, so their order says little of how far rows repeat "
        "each other; write them in the order of time"
        for path, names in sorted_by.items()
        if names
    ]


def file_notes(report: DriftReport, window: str) -> list[str]:
    """A sentence for each column that has no value at all in the window."""
    notes = []
    for column in report.columns:
        name = column.column.name
        if column.missing_fraction == 1:
            notes.append(f"{window}: column {name!r} has no value in any row; correct the program that writes the file")
        elif column.unseen_fraction == 1:
            notes.append(
                f"{window}: column {name!r} has no level that the baseline knows; check how its values are spelt, or "
                "renew the baseline"
            )
    return notes


@dataclass(frozen=True)
class Checked:
    """What a check has found: of the rows, of the answers where there are labels, and what was not judged."""

    report: DriftReport
    quality: WindowQuality | None
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Severity:
        """The worst of what is judged: the rows, measured quality, what stands in for it, and equal treatment."""
        return worst([self.report.severity, *(self.quality.verdicts.known if self.quality else ())])

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; two files have no times and no manifests."""
        document = self.report.to_json()
        document |= {"performance": self.quality.to_json()} if self.quality else {}
        document["window"] = {"rows": self.report.rows}
        del document["manifests_digest"]
        return document | ({"notes": list(self.notes)} if self.notes else {})

    def to_page(self) -> dict[str, Any]:
        """The report with the histograms that its page shows."""
        return self.to_json() | {"histograms": self.report.to_page()["histograms"]}


def judge(question: CheckQuestion) -> Checked:
    """Judge the window's rows, then its answers."""
    sides = count_sides(question.config.model, question.columns, question.baseline, question.window)
    frozen = replace(sides.baseline, importance=question.importance)
    report = judge_drift(
        frozen, sides.window, question.config, start=_NO_TIME, end=_NO_TIME, design_effects=sides.design_effects
    )
    refuse_faulty_values(report, sides, question.baseline, question.window)
    quality, notes = _quality(question, frozen)
    order = order_notes(
        {question.baseline.path: sides.baseline_sorted_by, question.window.path: sides.window_sorted_by}
    )
    told = (*question.notes, *order, *file_notes(report, question.window.path), *notes)
    return Checked(report, quality, told)


def _quality(question: CheckQuestion, frozen: Baseline) -> tuple[WindowQuality | None, tuple[str, ...]]:
    if question.label is None:
        return None, ()
    # Here, because most checks have no labels.
    from cli.check.quality import judge_files

    return judge_files(question, frozen)
