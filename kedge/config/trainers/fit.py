"""Whether a training fits the rest of its model: the gate's holdout, a search's figure and price, an algorithm's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kedge.config.prices import USD_AN_HOUR
from kedge.config.trainers.algorithm import parameter_fault
from kedge.config.trainers.tuning import CALCULATED, PRINTED

if TYPE_CHECKING:
    from kedge.config.model import ModelConfig


def require_holdout(config: ModelConfig) -> None:
    """Refuse a holdout that may not have the rows that the gate needs."""
    most, least = config.training.maximum_holdout_rows, config.gate.minimum_holdout_rows
    if most < least:
        raise ValueError(
            f"training.maximum_holdout_rows is {most} and gate.minimum_holdout_rows {least}: no holdout can have both; raise the "
            "first or lower the second"
        )


def require_figure(config: ModelConfig) -> None:
    """Refuse a search by a figure that its trainer does not say."""
    tuning, training = config.training.tuning, config.training
    if tuning is None or not (training.algorithm or training.is_of_kedge):
        return
    known = (CALCULATED if training.algorithm else PRINTED)[config.problem]
    if tuning.metric not in known:
        raise ValueError(
            f"training.tuning.metric is {tuning.metric}: of a {config.problem} {training.algorithm or training.entry_point} says "
            f"{', '.join(known)} of the validation rows; take one of them, or train with a script of your own"
        )


def require_budget(config: ModelConfig) -> None:
    """Refuse a search whose jobs may cost more than its budget."""
    tuning, training = config.training.tuning, config.training
    if tuning is None or tuning.budget_usd is None:
        return
    price = config.retraining.usd_per_instance_hour or USD_AN_HOUR.get(training.instance_type)
    if price is None:
        raise ValueError(
            f"training.tuning.budget_usd: no price of {training.instance_type} is known; say what an hour of it costs in "
            "retraining.usd_per_instance_hour"
        )
    seconds = min(tuning.jobs * training.max_runtime_seconds, tuning.parallel_jobs * tuning.max_runtime_seconds)
    most = seconds * training.instance_count * price / 3600
    if most > tuning.budget_usd:
        raise ValueError(
            f"training.tuning.budget_usd is {tuning.budget_usd:g}, and {tuning.jobs} jobs of up to "
            f"{training.max_runtime_seconds} seconds can cost {most:.2f}: lower training.tuning.jobs or "
            "training.max_runtime_seconds, or raise the budget"
        )


def require_algorithm(config: ModelConfig) -> None:
    """Refuse rows or answers that SageMaker's algorithm cannot read or give."""
    if config.training.algorithm is None:
        return
    others = [feature.name for feature in config.features if feature.kind != "numeric"]
    if others:
        raise ValueError(
            f"training.algorithm: SageMaker's XGBoost reads numbers alone, and {', '.join(others)} are none: encode them before "
            "the request and declare them numeric, or train with a script"
        )
    if config.endpoint.content_type != "text/csv":
        raise ValueError(
            f"training.algorithm: SageMaker's XGBoost reads CSV, and endpoint.content_type is {config.endpoint.content_type}: "
            "write text/csv, or train with a script"
        )
    if config.prediction.probabilities or config.prediction.field not in (None, 0):
        raise ValueError(
            "training.algorithm: SageMaker's XGBoost answers one number a row: remove prediction.probabilities and "
            "prediction.field, or train with a script"
        )
    if fault := parameter_fault(config.problem, config.labels.classes, config.training.hyperparameters):
        raise ValueError(fault)
