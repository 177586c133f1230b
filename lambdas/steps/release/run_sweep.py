"""Sweep up what retrainings have left: scoring models, endpoints on trial and jobs that no running execution owns.

It costs calls, so it runs after an execution that has ended, for that run, and once a day for all of a model's runs. Endpoints are
paid by the second: where a model's YAML wants trials, they are looked for each hour.
"""

from __future__ import annotations

from lambdas.adapters import clients, executions
from lambdas.adapters.training import pipelines, run_leftovers, tuning_jobs
from lambdas.logs import logger


def sweep_run(run: str) -> None:
    """Stop the jobs of a run that has ended, and delete its endpoint on trial and its scoring models."""
    if not run_leftovers.is_run(run):
        return
    # A tuning first: it would begin another job in the place of each that is stopped.
    stopped = [*tuning_jobs.stop(clients.sagemaker(), run), *run_leftovers.stop_jobs(clients.sagemaker(), run)]
    trials = run_leftovers.delete_trials(clients.sagemaker(), run)
    owners = run_leftovers.scoring_models(clients.sagemaker(), run)
    models = [name for name, owner in owners.items() if owner == run]
    for name in models:
        run_leftovers.delete_model(clients.sagemaker(), name)
    if stopped or models or trials:
        logger.info("swept up", run=run, models=models, trials=trials, stopped=stopped)


def sweep_pipeline(pipeline: str | None, run: str) -> None:
    """Stop what a run that has ended still has its pipeline do."""
    if pipeline is None or not run_leftovers.is_run(run):
        return
    if stopped := pipelines.stop(clients.sagemaker(), pipeline, run):
        logger.info("stopped a pipeline", run=run, executions=stopped)


def sweep_model(prefix: str, retrain_machine_arn: str) -> None:
    """Sweep up after every run whose models or endpoints begin with this prefix and whose execution does not run any more."""
    models = run_leftovers.scoring_models(clients.sagemaker(), prefix)
    _sweep({*models.values()} | run_leftovers.trials(clients.sagemaker(), prefix).runs, retrain_machine_arn)


def sweep_trials(prefix: str, retrain_machine_arn: str) -> None:
    """Sweep up after every such run that has left an endpoint."""
    _sweep(run_leftovers.trials(clients.sagemaker(), prefix).runs, retrain_machine_arn)


def _sweep(runs: set[str], retrain_machine_arn: str) -> None:
    # Runs of two models may begin alike: each is looked up under its own name.
    for run in sorted(runs):
        arn = executions.execution_arn(retrain_machine_arn, run)
        if executions.status(clients.stepfunctions(), arn) != "RUNNING":
            sweep_run(run)
