"""SageMaker's own algorithms: by which images it knows them, and which metrics it reads from their logs.

A training job on one of these images gets the algorithm's metric definitions, whether the algorithm runs or a script
(`sagemaker-xgboost` runs both), and a request with others is refused. Imitated for XGBoost, whose names and expressions
DescribeTrainingJob shows (sagemaker-xgboost-container#121); its log has #011 where the program wrote a tab.
"""

from __future__ import annotations

from typing import Any

from offline.sagemaker.api import ValidationError

XGBOOST = "sagemaker-xgboost"
_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
_METRICS = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "error", "f1", "f1_binary", "f1_macro", "gamma-deviance", "gamma-nloglik",
    "logloss", "mae", "map", "merror", "mlogloss", "mse", "ndcg", "poisson-nloglik", "precision", "precision_macro", "r2", "recall",
    "recall_macro", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip


# The hyperparameters that may be tuned, of a script as well. sagemaker-python-sdk#2226
TUNABLE = (
    "alpha", "colsample_bylevel", "colsample_bynode", "colsample_bytree", "eta", "gamma", "lambda", "max_delta_step", "max_depth",
    "min_child_weight", "num_round", "subsample",
)  # fmt: skip


def is_algorithm(image: str) -> bool:
    """Whether SageMaker takes an image for one of its own algorithms."""
    return image.partition("/")[2].partition("@")[0].partition(":")[0] == XGBOOST


def with_metrics(specification: dict[str, Any]) -> dict[str, Any]:
    """An AlgorithmSpecification with the metrics that SageMaker will read; one that overrides an algorithm's is refused."""
    if not is_algorithm(specification.get("TrainingImage", "")):
        return specification
    if specification.get("MetricDefinitions"):
        raise ValidationError(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request without "
            "specifying metric definitions."
        )
    names = [(channel, metric) for channel in ("train", "validation") for metric in _METRICS]
    return specification | {
        "MetricDefinitions": [
            {"Name": f"{channel}:{metric}", "Regex": rf".*\[[0-9]+\].*#011{channel}-{metric}:{_NUMBER}.*"}
            for channel, metric in names
        ]
    }
