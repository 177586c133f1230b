"""The gate's table as a retraining keeps it: a document, a page, and an entry of the timeline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.gate.holdout import GateReport, GateRow
from lambdas.adapters.bucket import layout, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.training import training_data
from report.pages.gate_page import render_gate_page


@dataclass(frozen=True)
class GateJudgement:
    """Whom the gate judged, against which version, and when."""

    model: str
    run: str
    champion: str | None
    time: datetime


def keep(s3: Any, bucket: str, what: GateJudgement, report: GateReport, *, final: bool = True) -> dict[str, Any]:
    """Write the table, and return it with its key; a pass that a trial follows is not `final`, and goes into no timeline yet."""
    key = layout.retraining_key(what.model, what.run, layout.GATE)
    rows = [row.to_json() for row in report.rows]
    table = {"verdict": report.verdict, "reasons": list(report.reasons), "rows": rows}
    training_data.save_file(s3, bucket, key, json.dumps(table, indent=1).encode(), "application/json")
    page = layout.retraining_key(what.model, what.run, layout.GATE_PAGE)
    shown = {**table, "model": what.model, "run": what.run, "champion": what.champion}
    training_data.save_file(s3, bucket, page, render_gate_page(shown).encode(), "text/html")
    if final or report.verdict != "PASS":
        kind = "gate_passed" if report.verdict == "PASS" else "gate_failed"
        detail = {"run": what.run, "champion": what.champion, "report_key": key, **table}
        timeline.record(s3, bucket, Entry(what.model, kind, what.time, detail))
    return table | {"report_key": key}


def kept_rows(s3: Any, bucket: str, *, model: str, run: str) -> list[GateRow]:
    """The rows of the table as it was kept."""
    kept = training_data.load_json(s3, bucket, layout.retraining_key(model, run, layout.GATE))
    return [GateRow(**{"limit": None, "value": None, **row}) for row in kept["rows"]]
