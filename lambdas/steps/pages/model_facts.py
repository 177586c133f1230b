"""What the pages and the widget show of a model: its history and its newest report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kedge.config.model import ModelConfig
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, reports
from lambdas.adapters.bucket.history import load_history
from lambdas.steps.requests import CADENCES
from report.pages.model_facts import ModelFacts

# More than a year, so that a season can be compared with the one before.
SHOWN = timedelta(days=400)


def load_facts(bucket: str, config: ModelConfig, now: datetime, *, since: datetime | None = None) -> ModelFacts:
    """Read a model's history and the newest report of it."""
    s3 = clients.s3()
    tables = ("windows", "metrics", "columns", "decisions")
    rows: dict[str, Any] = {
        table: load_history(s3, bucket, config.model, table, since=since or now - SHOWN).to_pylist() for table in tables
    }
    newest = max(rows["windows"], key=lambda row: row["window_end"], default=None)
    report = reports.load_json(s3, bucket, newest["report_key"]) if newest else None
    return ModelFacts(
        config.model,
        config.problem,
        now,
        **rows,
        report=report or {},
        report_href=newest["report_key"].removeprefix(layout.pages_prefix(config.model)).replace(".json", ".html")
        if newest
        else "",
        cadence=CADENCES[config.cadence.judge],
        team=config.owner.team,
        runbook=str(config.owner.runbook) if config.owner.runbook else None,
        endpoint=config.endpoint.name or "",
    )
