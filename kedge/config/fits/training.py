"""Whether a training fits the rest of its model: the gate's holdout, a search's figure and price, an algorithm's rows."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.config.gate import GatePolicy
from kedge.config.prices import USD_AN_HOUR
from kedge.config.retraining import RetrainingPolicy
from kedge.config.sections import Endpoint, Feature, Prediction, Problem
from kedge.config.trainers.algorithm import parameter_fault
from kedge.config.trainers.tuning import CALCULATED, PRINTED
from kedge.config.training import Training


def require_holdout(training: Training, gate: GatePolicy) -> None:
    """Refuse a holdout that may not have the rows that the gate needs."""
    most, least = training.maximum_holdout_rows, gate.minimum_holdout_rows
    if most < least:
        raise ValueError(
            f"training.maximum_holdout_rows is {most} and gate.minimum_holdout_rows {least}: no holdout can have both; raise the "
            "first or lower the second"
        )


def require_figure(training: Training, problem: Problem) -> None:
    """Refuse a search by a figure that its trainer does not say."""
    tuning = training.tuning
    if tuning is None or not (training.algorithm or training.is_of_kedge):
        return
    known = (CALCULATED if training.algorithm else PRINTED)[problem]
    if tuning.metric not in known:
        raise ValueError(
            f"training.tuning.metric is {tuning.metric}: of a {problem} {training.algorithm or training.entry_point} says "
            f"{', '.join(known)} of the validation rows; take one of them, or train with a script of your own"
        )


def require_budget(training: Training, retraining: RetrainingPolicy) -> None:
    """Refuse a search whose jobs may cost more than its budget."""
    tuning = training.tuning
    if tuning is None or tuning.budget_usd is None:
        return
    price = retraining.usd_per_instance_hour or USD_AN_HOUR.get(training.instance_type)
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


def require_algorithm(
    training: Training,
    problem: Problem,
    features: Sequence[Feature],
    endpoint: Endpoint,
    prediction: Prediction,
    classes: Sequence[str],
) -> None:
    """Refuse rows or answers that SageMaker's algorithm cannot read or give."""
    if training.algorithm is None:
        return
    others = [feature.name for feature in features if feature.kind != "numeric"]
    if others:
        raise ValueError(
            f"training.algorithm: SageMaker's XGBoost reads numbers alone, and {', '.join(others)} are none: encode them before "
            "the request and declare them numeric, or train with a script"
        )
    if endpoint.content_type != "text/csv":
        raise ValueError(
            f"training.algorithm: SageMaker's XGBoost reads CSV, and endpoint.content_type is {endpoint.content_type}: "
            "write text/csv, or train with a script"
        )
    if prediction.probabilities or prediction.field not in (None, 0):
        raise ValueError(
            "training.algorithm: SageMaker's XGBoost answers one number a row: remove prediction.probabilities and "
            "prediction.field, or train with a script"
        )
    if fault := parameter_fault(problem, classes, training.hyperparameters):
        raise ValueError(fault)
