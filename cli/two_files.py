"""Two sides of rows compared: which columns, under which policy, and the report that `kedge check` shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cli.file_profiles import count_sides
from cli.question import Question
from cli.report_notes import file_notes, order_notes
from cli.value_faults import refuse_faulty_values
from kedge.baseline import Baseline
from kedge.drift import judge_drift

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
    from cli.labelled_files import judge_files
    from cli.labelled_slices import absent_sensitive, slice_files

    sides, model = (question.baseline, question.window), question.config
    performance, note = judge_files(*sides, model, question.columns, question.label)
    if performance is None:
        return None, (note,)
    if question.label not in question.window.schema.names:
        return performance, (f"{question.window.path} has no column {question.label!r}: quality is only estimated",)
    return performance | slice_files(*sides, model, frozen, question.label), absent_sensitive(question.window, model)
