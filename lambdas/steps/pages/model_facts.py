"""What the pages and the widget show of a model: its history and its newest report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pyarrow as pa

from kedge.config.model import ModelConfig
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, reports, shown_history
from lambdas.steps.requests import CADENCES
from report.pages.model_facts import ModelFacts

# More than a year, so that a season can be compared with the one before.
SHOWN = timedelta(days=400)


def load_shown(
    bucket: str, model: str, now: datetime, *, since: datetime | None = None, judged: datetime | None = None
) -> dict[str, pa.Table]:
    """A model's history, as far as a page or a widget shows it."""
    return shown_history.load(clients.s3(), bucket, model, since=since or now - SHOWN, now=now, judged=judged)


def facts_of(bucket: str, config: ModelConfig, now: datetime, shown: Mapping[str, pa.Table]) -> ModelFacts:
    """The facts of a model from its history, with its newest report."""
    s3, rows = clients.s3(), {name: table.to_pylist() for name, table in shown.items()}
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
