"""SageMaker's own XGBoost as the trainer: the hyperparameters that it takes, and those that follow from the problem."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kedge.config.fits.meant import meant
from kedge.config.sections import Problem

# With these its answer is a probability of the last class, the class's number, or a number.
_OBJECTIVES: Mapping[Problem, tuple[str, ...]] = {
    "binary_classification": ("binary:logistic",),
    "multiclass_classification": ("multi:softmax",),
    "regression": (
        "reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror", "reg:logistic", "reg:gamma",
        "reg:tweedie", "count:poisson",
    ),
}  # fmt: skip
_METRICS: Mapping[Problem, str] = {
    "binary_classification": "auc",
    "multiclass_classification": "mlogloss",
    "regression": "rmse",
}
# The image fails a job that has another. https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost_hyperparameters.html
_PARAMETERS = (
    "alpha", "base_score", "booster", "colsample_bylevel", "colsample_bynode", "colsample_bytree", "csv_weights", "deterministic_histogram",
    "dsplit", "early_stopping_rounds", "eta", "eval_metric", "gamma", "grow_policy", "interaction_constraints", "lambda", "lambda_bias",
    "max_bin", "max_delta_step", "max_depth", "max_leaves", "min_child_weight", "monotone_constraints", "normalize_type", "nthread",
    "num_class", "num_parallel_tree", "num_round", "objective", "one_drop", "predictor", "process_type", "rate_drop", "refresh_leaf",
    "sample_type", "sampling_method", "save_model_on_termination", "scale_pos_weight", "seed", "seed_per_iteration",
    "single_precision_histogram", "sketch_eps", "skip_drop", "subsample", "tree_method", "tweedie_variance_power", "updater", "verbosity",
)  # fmt: skip
# Those that are numbers: whole ones by their smallest, then shares, then those from zero on.
_WHOLE: Mapping[str, int] = {
    "num_round": 1, "early_stopping_rounds": 1, "max_depth": 0, "max_leaves": 0, "max_bin": 0, "num_class": 2, "num_parallel_tree": 1,
    "seed": -(2**31),
}  # fmt: skip
_SHARES = ("eta", "subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode", "rate_drop", "skip_drop")
# Those of `eval_metric`, and those of them that may have a limit: `error@0.7`.
# https://github.com/aws/sagemaker-xgboost-container/blob/master/src/sagemaker_xgboost_container/constants/xgb_constants.py
_FIGURES = (
    "accuracy", "aft-nloglik", "auc", "aucpr", "balanced_accuracy", "cox-nloglik", "error", "f1", "f1_binary", "f1_macro", "gamma-deviance",
    "gamma-nloglik", "interval-regression-accuracy", "logloss", "mae", "map", "mape", "merror", "mlogloss", "mphe", "mse", "ndcg",
    "poisson-nloglik", "precision", "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro", "rmse", "rmsle",
    "tweedie-nloglik",
)  # fmt: skip
_LIMITED = ("error", "map", "ndcg")
_FROM_ZERO = ("gamma", "min_child_weight", "max_delta_step", "lambda", "alpha", "scale_pos_weight")
NUM_ROUND = "100"


def algorithm_parameters(
    problem: Problem, classes: Sequence[str], chosen: Mapping[str, str | int | float]
) -> dict[str, str]:
    """The hyperparameters of a job, as text: the YAML's, and what it leaves out.

    >>> algorithm_parameters("regression", (), {"eta": 0.3})
    {'num_round': '100', 'objective': 'reg:squarederror', 'eval_metric': 'rmse', 'eta': '0.3'}
    """
    found = {"num_round": NUM_ROUND, "objective": _OBJECTIVES[problem][0], "eval_metric": _METRICS[problem]}
    if problem == "multiclass_classification":
        found["num_class"] = str(len(classes))
    return found | {name: str(value) for name, value in chosen.items()}


def parameter_fault(problem: Problem, classes: Sequence[str], chosen: Mapping[str, str | int | float]) -> str | None:
    """Why the algorithm would not take these, or would answer what Kedge cannot read; None if it will do.

    >>> parameter_fault("regression", (), {"trees": 100})
    "training.hyperparameters has trees, which SageMaker's XGBoost does not know; it has num_round, eta, max_depth and the like"
    """
    for name in chosen:
        if name not in _PARAMETERS:
            hint = meant(name, _PARAMETERS, "it has num_round, eta, max_depth and the like")
            return f"training.hyperparameters has {name}, which SageMaker's XGBoost does not know{hint}"
        if fault := _number_fault(name, chosen[name]):
            return fault
    if fault := _figure_fault(problem, str(chosen.get("eval_metric", _METRICS[problem]))):
        return fault
    told = str(chosen.get("objective", _OBJECTIVES[problem][0]))
    if told not in _OBJECTIVES[problem]:
        return f"training.hyperparameters.objective is {told}: a {problem} has {', '.join(_OBJECTIVES[problem])}"
    numbers = [str(number) for number in range(len(classes))]
    if problem == "multiclass_classification" and list(classes) != numbers:
        return (
            f"training.algorithm: SageMaker's XGBoost answers a class by its number, and labels.classes is {list(classes)}: write the "
            f"labels as {', '.join(numbers)}, or train with a script"
        )
    if str(chosen.get("num_class", len(classes))) != str(len(classes)) or ("num_class" in chosen and len(numbers) == 2):
        return f"training.hyperparameters.num_class is {chosen['num_class']}: it follows from problem and labels.classes; remove it"
    return None


def _number_fault(name: str, value: str | int | float) -> str | None:
    if name not in (*_WHOLE, *_SHARES, *_FROM_ZERO):
        return None
    least = _WHOLE.get(name, 0)
    wanted = "from 0 to 1" if name in _SHARES else f"from {least} on"
    try:
        number = int(str(value)) if name in _WHOLE else float(value)
    except ValueError:
        number = math.nan
    if least <= number <= (1 if name in _SHARES else math.inf):
        return None
    kind = "a whole number" if name in _WHOLE else "a number"
    return f"training.hyperparameters.{name} is {value}: SageMaker's XGBoost takes {kind} {wanted}"


def _figure_fault(problem: Problem, said: str) -> str | None:
    """Why a job would fail of these figures, which stand between commas."""
    for figure in map(str.strip, said.split(",")):
        name, limited, limit = figure.partition("@")
        if name not in (_LIMITED if limited else _FIGURES) or (limited and not _is_number(limit)):
            known, usual = (
                _LIMITED if limited else _FIGURES,
                f"of a {problem} it says {_METRICS[problem]} where nothing else is said",
            )
            return (
                f"training.hyperparameters.eval_metric has {figure!r}, which SageMaker's XGBoost does not know"
                f"{meant(name, known, usual)}"
            )
        if name == "auc" and problem != "binary_classification":
            return f"training.hyperparameters.eval_metric has auc, and a {problem} has none: remove it, or write {_METRICS[problem]}"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
