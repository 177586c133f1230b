"""Retrainings that have ended, told to the MLflow that a model's YAML names: beside everything else, and stopping nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from kedge.errors import MlflowError
from kedge.retraining.mlflow_run import ENDS, REPORTS_TAG, mlflow_run
from lambdas.adapters import clients, executions
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.state import windows
from lambdas.adapters.training.mlflow_server import MlflowServer
from lambdas.logs import logger
from lambdas.steps.release.settled_release import Bench, tell_once

# So long a run is tried again, once a day.
TRIED_FOR = timedelta(days=7)
FILES = (layout.GATE, layout.GATE_PAGE, layout.LINEAGE, layout.MANIFEST, layout.STAGING)


def track_runs(bench: Bench, machine: str, *, ended: str = "") -> None:
    """Tell MLflow of each retraining of the last week, and of the execution that has just `ended`, once; people hear where it cannot."""
    arn = bench.config.training.mlflow_arn
    if arn is None:
        return
    name, run_ended = executions.machine_and_run(ended) if ended else ("", "")
    # What judged a package of somebody else's was not started by a decision.
    just_now = [run_ended] if name == executions.machine_name(machine) else []
    for run in dict.fromkeys([*just_now, *_of_this_week(bench)]):
        if windows.is_told(clients.dynamodb(), bench.desk.table, bench.model, f"mlflow#{run}"):
            continue
        status = executions.status(clients.stepfunctions(), executions.execution_arn(machine, run))
        if status not in ENDS:
            continue
        try:
            _record(arn, run, status, bench)
        except MlflowError as error:
            logger.warning("not told to MLflow", model=bench.model, run=run, reason=str(error))
            tell_once(f"mlflow_failed#{run}", "mlflow_failed", {"run": run, "reasons": [str(error)]}, bench)


def _of_this_week(bench: Bench) -> Iterator[str]:
    started = windows.load_starts(clients.dynamodb(), bench.desk.table, bench.model)
    return (run for run, start in started.items() if start.time > bench.time - TRIED_FOR)


def _record(arn: str, run: str, status: str, bench: Bench) -> None:
    files = dict(_files(run, bench))
    folder = layout.retraining_key(bench.model, run, "")
    facts = {"kedge.model": bench.model, REPORTS_TAG: f"s3://{bench.desk.bucket}/{folder}"}
    made = mlflow_run(
        run,
        ended=status,
        facts=facts,
        gate=_document(files, layout.GATE),
        lineage=_document(files, layout.LINEAGE),
    )
    MlflowServer(arn).record(bench.config.resource_name, run, made, files)
    # Remembered last: a crash before this line writes the same run again.
    windows.remember_told(clients.dynamodb(), bench.desk.table, bench.model, f"mlflow#{run}", now=bench.time)


def _files(run: str, bench: Bench) -> Iterator[tuple[str, bytes]]:
    for name in FILES:
        found = objects.read(clients.s3(), bench.desk.bucket, layout.retraining_key(bench.model, run, name))
        if found:
            yield name, found[0]


def _document(files: dict[str, bytes], name: str) -> dict[str, Any] | None:
    return json.loads(files[name]) if name in files else None
