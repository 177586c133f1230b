"""Judge a challenger's trial, and put its rows into the gate's table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.gate.holdout import GateReport
from kedge.instants import from_text
from kedge.staging.record import TrialRecord
from kedge.staging.rows import PREFIX, staging_rows
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.models import load_model
from lambdas.adapters.training import training_data
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.gate import kept_table
from lambdas.steps.gate.cost import cost_of
from lambdas.steps.gate.kept_table import GateJudgement
from lambdas.steps.staging.wanted import StagingWanted
from report.failures import plain_failure


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class TrialFailure(BaseModel, frozen=True):
    """What failed on the way to this judgement; empty where nothing did."""

    state: str = ""
    Error: str = ""
    Cause: str = ""

    @property
    def sentence(self) -> str:
        """What failed, in words."""
        return f"{self.state} failed: {plain_failure(self.Error, self.Cause)}" if self.state else ""


class Request(BaseModel, frozen=True):
    """A trial that has ended, in whatever way."""

    model: str
    run: str
    time: AwareDatetime
    staging: StagingWanted
    failure: TrialFailure = TrialFailure()
    champion: dict[str, Any] = {}


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge what was measured, write the whole table, and say what the retraining has cost."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    s3, bucket, model, run = clients.s3(), settings.data_bucket, request.model, request.run
    config = training_data.load_run_config(s3, bucket, load_model(model, bucket), run)
    key = layout.retraining_key(model, run, layout.STAGING)
    kept = objects.read(s3, bucket, key)
    found = TrialRecord.from_json(json.loads(kept[0])) if kept else TrialRecord()
    if not found.ended:
        found = replace(found, unfinished=request.failure.sentence)
    before = [row for row in kept_table.kept_rows(s3, bucket, model=model, run=run) if not row.gate.startswith(PREFIX)]
    rows = staging_rows(found, request.staging.policy, confidence=config.gate.confidence)
    report = GateReport((*before, *rows))
    what = GateJudgement(model, run, request.champion.get("package_version"), request.time)
    table = kept_table.keep(s3, bucket, what, report)
    paid = {}
    if found.since:
        paid = {request.staging.variant.InstanceType: (request.time - from_text(found.since)).total_seconds()}
    # Whoever counts the cost of the run finds it there: of the endpoint nothing is left.
    body = json.dumps(replace(found, paid=paid).to_json()).encode()
    training_data.save_file(s3, bucket, key, body, "application/json")
    logger.info("judged a trial", model=model, run=run, verdict=report.verdict, sent=found.sent)
    return table | {"cost": cost_of(run, config, paid), "paid": paid}
