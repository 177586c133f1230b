"""Two sides of rows compared: which columns, under which policy, and the report that `kedge check` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cli.check.profiles import count_sides
from cli.check.question import Question
from cli.check.value_faults import refuse_faulty_values
from kedge.drift.report import judge_drift
from kedge.profile.baseline import Baseline


def order_notes(sorted_by: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each file whose rows stand in the order of a column's values."""
    return [
        f"{path}: its rows are sorted by {', '.join(map(repr, names))}, so their order says little of how far rows repeat "
        "each other; write them in the order of time"
        for path, names in sorted_by.items()
        if names
    ]


def file_notes(report: Mapping[str, Any], window: str) -> list[str]:
    """A sentence for each column that has no value at all in the window."""
    notes = []
    for column in report["columns"]:
        name = column["name"]
        if column["missing_fraction"] == 1:
            notes.append(f"{window}: column {name!r} has no value in any row; correct the program that writes the file")
        elif column.get("unseen_fraction") == 1:
            notes.append(
                f"{window}: column {name!r} has no level that the baseline knows; check how its values are spelt, or "
                "renew the baseline"
            )
    return notes


_NO_TIME = datetime.fromtimestamp(0, UTC)


def judge(question: Question) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The report with its histograms, and notes on what was not judged."""
    sides = count_sides(question.config.model, question.columns, question.baseline, question.window)
    frozen = replace(sides.baseline, importance=question.importance)
    report = judge_drift(
        frozen, sides.window, question.config, start=_NO_TIME, end=_NO_TIME, design_effects=sides.design_effects
    )
    refuse_faulty_values(report, sides, question.baseline, question.window)
    performance, notes = _quality(question, frozen)
    document = report.to_page() | ({"performance": performance} if performance else {})
    # Two files have no times and no manifests.
    document["window"] = {"rows": report.rows}
    del document["manifests_digest"]
    order = order_notes(
        {question.baseline.path: sides.baseline_sorted_by, question.window.path: sides.window_sorted_by}
    )
    told = (*question.notes, *order, *file_notes(document, question.window.path), *notes)
    return document | ({"notes": list(told)} if told else {}), told


def _quality(question: Question, frozen: Baseline) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The report's "performance", and notes on what of it is not there."""
    if question.label is None:
        return None, ()
    # Here, because most checks have no labels.
    from cli.check.slices import absent_sensitive, slice_files
    from cli.rows.outcomes import judge_files

    sides, model = (question.baseline, question.window), question.config
    performance, note = judge_files(*sides, model, question.columns, question.label)
    if performance is None:
        return None, (note,)
    if question.label not in question.window.schema.names:
        return performance, (f"{question.window.path} has no column {question.label!r}: quality is only estimated",)
    return performance | slice_files(*sides, model, frozen, question.label), absent_sensitive(question.window, model)
