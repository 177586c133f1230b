"""What a retraining has cost so far, for whoever decides about its model or reads of its refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kedge.config.model import ModelConfig
from kedge.config.prices import cost_sentence
from lambdas.adapters import clients
from lambdas.adapters.optional import optional
from lambdas.adapters.training import run_leftovers


def cost_of(run: str, config: ModelConfig, beside: Mapping[str, float] | None = None) -> str:
    """The cost of a run's jobs in a sentence.

    Parameters
    ----------
    beside : mapping of str to float, optional
        Seconds by instance type that were paid for without a job.
    """
    seconds = Counter(run_leftovers.instance_seconds(clients.sagemaker(), run)) + Counter(beside or {})
    return cost_sentence(seconds, usd_an_hour=config.retraining.usd_per_instance_hour)


def cost_of_failed(machine: str, run: str, config: ModelConfig | None) -> dict[str, str]:
    """What people are told of the cost of an execution that failed; nothing of a release, whose instances serve.

    A failure is told whether its cost can be found or not.
    """
    if config is None or "retrain" not in machine or not run_leftovers.is_run(run):
        return {}
    with optional("the cost of a failed retraining", config.model):
        return {"cost": cost_of(run, config)}
    return {}
