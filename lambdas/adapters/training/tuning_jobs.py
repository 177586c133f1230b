"""Tuning jobs that have ended: their best training job, and stopping those that nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kedge.errors import UnfinishedTuningError
from kedge.retraining.decision import tuning_name
from lambdas.adapters.training.run_leftovers import whatever_is_gone


@dataclass(frozen=True)
class BestJob:
    """The best training job of a tuning, and what people are told of it."""

    job: str
    said: str


def best_of(sagemaker: Any, tuning_job: str) -> BestJob:
    """The training job with the best figure.

    Raises
    ------
    UnfinishedTuningError
        The tuning did not complete, or none of its jobs did with a figure.
    """
    found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning_job)
    status, best = found["HyperParameterTuningJobStatus"], found.get("BestTrainingJob") or {}
    figure = best.get("FinalHyperParameterTuningJobObjectiveMetric")
    if status != "Completed" or figure is None:
        raise UnfinishedTuningError(job=tuning_job, status=status, reason=found.get("FailureReason", ""))
    chosen = ", ".join(f"{name} {value}" for name, value in sorted(best["TunedHyperParameters"].items()))
    tried = sum(found["TrainingJobStatusCounters"].values())
    said = f"tuned in {tried} jobs by {figure['MetricName']}: {figure['Value']:.4g} with {chosen}"
    return BestJob(best["TrainingJobName"], said)


def stop(sagemaker: Any, run: str) -> list[str]:
    """Stop the tuning jobs of a run that still search, and with them their training jobs; return their names."""
    asked = {"NameContains": tuning_name(run), "StatusEquals": "InProgress"}
    pages = sagemaker.get_paginator("list_hyper_parameter_tuning_jobs").paginate(**asked)
    running = [
        each["HyperParameterTuningJobName"] for page in pages for each in page["HyperParameterTuningJobSummaries"]
    ]
    stopped = []
    for name in running:
        # It may have ended since it was listed.
        with whatever_is_gone():
            sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            stopped.append(name)
    return stopped
