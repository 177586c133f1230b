"""The search for hyperparameters by a SageMaker tuning job: what is tried, how often, and by which figure the best is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kedge.config.sections import Problem, Section

# The retrain machine waits an hour longer than this.
TUNING_SECONDS_MAX = 39_600
# What SageMaker's XGBoost image lets be tuned, also where it runs a script: it refuses all other names.
TUNABLE = (
    "alpha", "colsample_bylevel", "colsample_bynode", "colsample_bytree", "eta", "gamma", "lambda", "max_delta_step", "max_depth",
    "min_child_weight", "num_round", "subsample",
)  # fmt: skip
_GROWS = ("auc", "aucpr", "map", "ndcg")
FIGURES = ("auc", "aucpr", "error", "logloss", "mae", "map", "merror", "mlogloss", "ndcg", "rmse", "rmsle")
# The figures that Kedge's own scripts print for a problem, and those that SageMaker's algorithm can: with another a job fails, or prints none.
PRINTED: Mapping[Problem, tuple[str, ...]] = {
    "binary_classification": ("auc", "logloss"),
    "multiclass_classification": ("mlogloss",),
    "regression": ("rmse",),
}
CALCULATED: Mapping[Problem, tuple[str, ...]] = {
    "binary_classification": ("auc", "aucpr", "error", "logloss", "mae", "map", "ndcg", "rmse"),
    "multiclass_classification": ("merror", "mlogloss"),
    "regression": ("mae", "rmse", "rmsle"),
}
# Of what can be tuned Kedge's own scripts take these; they refuse an argument that they do not know.
TAKEN: Mapping[str, tuple[str, ...]] = {
    "train.py": ("colsample_bytree", "eta", "max_depth", "min_child_weight", "subsample"),
    "train_sklearn.py": ("alpha", "level_rows", "max_iter"),
}
# XGBoost takes no other numbers for them.
WHOLE = ("max_depth", "num_round")
Scale = Literal["auto", "linear", "logarithmic", "reverse_logarithmic"]
Pair = Annotated[tuple[float, float], Field(strict=False)]
Whole = Annotated[tuple[int, int], Field(strict=False)]
Words = Annotated[tuple[str | int | float, ...], Field(strict=False, min_length=1, max_length=30)]


class Range(Section):
    """The values that are tried of one hyperparameter: numbers, whole numbers, or some words."""

    continuous: Pair | None = None
    integer: Whole | None = None
    categorical: Words | None = None
    scale: Scale = "auto"

    @model_validator(mode="after")
    def _it_is_one_range(self) -> Range:
        given = [name for name in ("continuous", "integer", "categorical") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("training.tuning.ranges: each has one of continuous, integer and categorical")
        if self.categorical is not None:
            # A tuning job gets them as text.
            words = [str(word) for word in self.categorical]
            if doubled := sorted({word for word in words if words.count(word) > 1}):
                raise ValueError(
                    f"training.tuning.ranges: categorical has {', '.join(doubled)} twice; each value stands there once"
                )
            if self.scale != "auto":
                raise ValueError("training.tuning.ranges: scale is for numbers; remove it beside categorical")
            return self
        low, high = self.continuous or self.integer or (0, 0)
        if low >= high:
            raise ValueError(f"training.tuning.ranges: {given[0]} is [{low}, {high}]: the first is the smaller one")
        if self.scale == "logarithmic" and low <= 0:
            raise ValueError(f"training.tuning.ranges: scale is logarithmic, and {low} is not above 0")
        if self.scale == "reverse_logarithmic" and (self.integer is not None or low < 0 or high >= 1):
            raise ValueError(
                "training.tuning.ranges: scale reverse_logarithmic is for continuous values from 0 to below 1"
            )
        return self


class Tuning(Section):
    """A tuning job in the place of a training job: its best training job goes on to the gate."""

    ranges: Mapping[str, Range] = Field(min_length=1, max_length=30)
    metric: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$", examples=["auc"])]
    direction: Literal["maximize", "minimize"] | None = None
    jobs: int = Field(default=10, ge=1, le=750)
    parallel_jobs: int = Field(default=2, ge=1, le=100)
    strategy: Literal["bayesian", "random", "hyperband"] = "bayesian"
    early_stopping: bool = True
    seed: int | None = Field(default=None, ge=0)
    max_runtime_seconds: int = Field(default=TUNING_SECONDS_MAX, ge=120, le=TUNING_SECONDS_MAX)
    budget_usd: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _sagemaker_takes_it(self) -> Tuning:
        if self.parallel_jobs > self.jobs:
            raise ValueError(
                f"training.tuning.parallel_jobs is {self.parallel_jobs}, and jobs {self.jobs}: lower the first"
            )
        if self.metric not in FIGURES and self.direction is None:
            raise ValueError(
                f"training.tuning.metric is {self.metric}, a figure of your own: say in training.tuning.direction whether it is "
                "to be as large (maximize) or as small (minimize) as can be"
            )
        if self.metric in FIGURES and self.direction not in (None, self.aim):
            raise ValueError(f"training.tuning.direction: {self.metric} is better the other way round; remove it")
        return self

    @property
    def aim(self) -> str:
        """Whether the metric is to grow or to shrink."""
        if self.metric in FIGURES:
            return "maximize" if self.metric in _GROWS else "minimize"
        return str(self.direction)

    @property
    def stops_early(self) -> bool:
        """Whether SageMaker stops jobs that fall behind; Hyperband does so by itself, and takes no such wish."""
        return self.early_stopping and self.strategy != "hyperband"
