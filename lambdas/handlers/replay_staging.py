"""Replay requests to a challenger on trial: one step with each call, and what came of it is kept."""

from __future__ import annotations

import json
from typing import Any

from pydantic import AwareDatetime, BaseModel

from kedge.staging.record import TrialRecord
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.models import load_model
from lambdas.adapters.training import training_data
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.staging.trial import StagedTrial, next_step
from lambdas.steps.staging.wanted import StagingWanted


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str


class Request(BaseModel, frozen=True):
    """A trial that goes on; `time` is when the retraining began."""

    model: str
    run: str
    time: AwareDatetime
    staging: StagingWanted
    snapshot: dict[str, Any]
    champion: dict[str, Any] = {}


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take the next step of a trial, and say what follows: WAIT, GO_ON or DONE."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    s3, bucket, wanted = clients.s3(), settings.data_bucket, request.staging
    key = layout.retraining_key(request.model, request.run, layout.STAGING)
    kept = objects.read(s3, bucket, key)
    trial = StagedTrial(
        config=training_data.load_run_config(s3, bucket, load_model(request.model, bucket), request.run),
        bucket=bucket,
        run=request.run,
        began=request.time,
        endpoint=wanted.name,
        policy=wanted.policy,
        holdout_rows=int(request.snapshot["holdout_rows"]),
        champion=request.champion.get("package_version"),
        instances=wanted.instances,
    )
    found = next_step(trial, TrialRecord.from_json(json.loads(kept[0])) if kept else TrialRecord())
    if found is None:
        return {"verdict": "WAIT"}
    training_data.save_file(s3, bucket, key, json.dumps(found.to_json()).encode(), "application/json")
    logger.info("replayed", model=request.model, run=request.run, sent=found.sent, failed=found.failed)
    return {"verdict": "DONE" if found.ended else "GO_ON"}
