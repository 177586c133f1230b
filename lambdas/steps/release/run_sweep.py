"""Sweep up what retrainings have left: scoring models and jobs that no running execution owns.

It costs calls, so it runs after an execution that has ended, for that run, and once a day for all of a model's runs.
"""

from __future__ import annotations

from lambdas.adapters import clients, executions
from lambdas.adapters.training import pipelines, run_leftovers
from lambdas.logs import logger


def sweep_run(run: str) -> None:
    """Stop the jobs of a run that has ended, and delete its scoring models."""
    if not run_leftovers.is_run(run):
        return
    stopped = run_leftovers.stop_jobs(clients.sagemaker(), run)
    owners = run_leftovers.scoring_models(clients.sagemaker(), run)
    models = [name for name, owner in owners.items() if owner == run]
    for name in models:
        run_leftovers.delete_model(clients.sagemaker(), name)
    if stopped or models:
        logger.info("swept up", run=run, models=models, stopped=stopped)


def sweep_pipeline(pipeline: str | None, run: str) -> None:
    """Stop what a run that has ended still has its pipeline do."""
    if pipeline is None or not run_leftovers.is_run(run):
        return
    if stopped := pipelines.stop(clients.sagemaker(), pipeline, run):
        logger.info("stopped a pipeline", run=run, executions=stopped)


def sweep_model(prefix: str, retrain_machine_arn: str) -> None:
    """Sweep up after every run whose models begin with this prefix and whose execution does not run any more."""
    # Runs of two models may begin alike: each is looked up under its own name.
    for run in sorted(set(run_leftovers.scoring_models(clients.sagemaker(), prefix).values())):
        arn = executions.execution_arn(retrain_machine_arn, run)
        if executions.status(clients.stepfunctions(), arn) != "RUNNING":
            sweep_run(run)
