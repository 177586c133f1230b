"""Trains as SageMaker's XGBoost does without a script: `sagemaker_xgboost_container.algorithm_mode.train`.

Imitated: the names and some ranges of its hyperparameters, which come as text; the channels `train` and `validation` of CSV
without a header and with the label first; a line for each round, which SageMaker reads the metrics from; `xgboost-model` in
XGBoost's own format; failures with the reasons that the image writes. Not imitated: libsvm, Parquet, RecordIO, several
instances, cross-validation, metrics that XGBoost has not itself (f1, mse, precision).
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

WHOLE = {
    "num_round": 1, "csv_weights": 0, "early_stopping_rounds": 1, "verbosity": 0, "nthread": 1, "max_depth": 0, "refresh_leaf": 0,
    "max_leaves": 0, "max_bin": 0, "one_drop": 0, "num_class": 2, "seed": -(2**31), "num_parallel_tree": 1,
}  # fmt: skip
# Lowest and highest.
NUMBERS = {
    "eta": (0, 1), "gamma": (0, math.inf), "min_child_weight": (0, math.inf), "max_delta_step": (0, math.inf), "subsample": (0, 1),
    "colsample_bytree": (0, 1), "colsample_bylevel": (0, 1), "colsample_bynode": (0, 1), "lambda": (0, math.inf), "alpha": (0, math.inf),
    "sketch_eps": (0, 1), "scale_pos_weight": (0, math.inf), "rate_drop": (0, 1), "skip_drop": (0, 1), "lambda_bias": (0, 1),
    "tweedie_variance_power": (1, 2), "base_score": (0, math.inf),
}  # fmt: skip
OBJECTIVES = (
    "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob", "rank:pairwise",
    "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma", "reg:pseudohubererror",
    "reg:absoluteerror", "reg:squaredlogerror", "reg:tweedie", "survival:aft", "survival:cox",
)  # fmt: skip
METRICS = (
    "auc", "aucpr", "error", "gamma-deviance", "gamma-nloglik", "logloss", "mae", "map", "merror", "mlogloss", "ndcg",
    "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip
WORDS = (
    "booster", "deterministic_histogram", "dsplit", "eval_metric", "grow_policy", "interaction_constraints", "monotone_constraints",
    "normalize_type", "objective", "predictor", "process_type", "sample_type", "sampling_method", "save_model_on_termination",
    "seed_per_iteration", "single_precision_histogram", "tree_method", "updater", "_tuning_objective_metric",
)  # fmt: skip
OF_THE_IMAGE = (
    "csv_weights",
    "dsplit",
    "save_model_on_termination",
    "_tuning_objective_metric",
    "num_round",
    "early_stopping_rounds",
)


class UserError(Exception):
    """The request asked for what the image refuses."""


def read_parameters(given: dict[str, str]) -> dict[str, Any]:
    """Hyperparameters as numbers and words."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        if name not in (*WHOLE, *NUMBERS, *WORDS):
            raise UserError(f"Extraneous hyperparameter found: {name}")
        try:
            found[name] = int(text) if name in WHOLE else float(text) if name in NUMBERS else text
        except ValueError:
            raise UserError(f"Hyperparameter {name}: could not parse value") from None
        low, high = (WHOLE[name], math.inf) if name in WHOLE else NUMBERS.get(name, (None, None))
        if low is not None and not low <= found[name] <= high:
            raise UserError(f"Hyperparameter {name}: value {text} is not in range [{low}, {high}]")
    if "num_round" not in found:
        raise UserError("Missing required hyperparameter: num_round")
    check_objective(found)
    return found


def check_objective(found: dict[str, Any]) -> None:
    """Refuse an objective, and metrics, that do not go together."""
    objective = found.get("objective", "reg:squarederror")
    if objective not in OBJECTIVES:
        raise UserError(f"Hyperparameter objective: value {objective} not in range {list(OBJECTIVES)}")
    if objective.startswith("multi:") and "num_class" not in found:
        raise UserError("Require input for parameter 'num_class' for multi-classification")
    wanted = [each.strip() for each in found.get("eval_metric", "").split(",") if each.strip()]
    tuned = found.get("_tuning_objective_metric", "").partition(":")[2]
    for metric in (*wanted, *([tuned] if tuned else [])):
        if metric.partition("@")[0] not in METRICS:
            raise UserError(f"Hyperparameter eval_metric: value {metric} not in range {list(METRICS)}")
        if "auc" in metric and not objective.startswith(("binary:", "rank:")):
            raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    found["eval_metric"] = [*dict.fromkeys([*wanted, *([tuned] if tuned else [])])]


def read_rows(channel: Path) -> xgboost.DMatrix:
    """Every file of a channel; an empty field is missing."""
    rows = []
    for path in sorted(path for path in channel.rglob("*") if path.is_file()):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append([float(value) if value else math.nan for value in line.split(",")])
            except ValueError:
                raise UserError(
                    f"Failed to load csv data with exception: {path.name}: could not convert string to float"
                ) from None
    if not rows:
        raise UserError(f"No data in {channel.name} channel path {channel}")
    matrix = np.array(rows, dtype=np.float64)
    return xgboost.DMatrix(matrix[:, 1:], matrix[:, 0])


def train() -> None:
    """Read, learn, write the model."""
    parameters = read_parameters(
        json.loads((Path(os.environ["SM_INPUT_CONFIG_DIR"]) / "hyperparameters.json").read_text())
    )
    if "SM_CHANNEL_TRAIN" not in os.environ:
        raise UserError("Missing required channel: train")
    watched = [(read_rows(Path(os.environ["SM_CHANNEL_TRAIN"])), "train")]
    if "SM_CHANNEL_VALIDATION" in os.environ:
        watched.append((read_rows(Path(os.environ["SM_CHANNEL_VALIDATION"])), "validation"))
    booster = xgboost.train(
        {name: value for name, value in parameters.items() if name not in OF_THE_IMAGE and value not in ([], "")}
        | {"nthread": 1},
        watched[0][0],
        num_boost_round=parameters["num_round"],
        evals=watched,
        early_stopping_rounds=parameters.get("early_stopping_rounds"),
        verbose_eval=True,
    )
    booster.save_model(str(Path(os.environ["SM_MODEL_DIR"]) / "xgboost-model"))


if __name__ == "__main__":
    try:
        train()
    except (UserError, xgboost.core.XGBoostError) as error:
        (Path(os.environ["SM_OUTPUT_DIR"]) / "failure").write_text(str(error), encoding="utf-8")
        sys.exit(1)
