"""A watched model as its YAML describes it: everything that a data scientist tunes."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kedge.errors import ModelConfigError

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Problem = Literal["binary_classification", "multiclass_classification", "regression"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Feature(_Section):
    """One column of the payload, in the payload's order."""

    name: str
    kind: Literal["numeric", "categorical"]
    dtype: Literal["float64", "float32", "int64", "string"] | None = None
    psi_max: float | None = Field(default=None, gt=0)
    watched: bool = True

    @property
    def declared_dtype(self) -> str:
        """The dtype both sides are cast to before counting."""
        return self.dtype or ("float64" if self.kind == "numeric" else "string")


class Prediction(_Section):
    """Where the answer stands in the output, and how it becomes a class."""

    name: str = "prediction"
    field: str | int = 0
    threshold: Fraction = 0.5


class Endpoint(_Section):
    """The SageMaker endpoint that serves the model."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
    variant: str = "AllTraffic"
    instance_type: str = "ml.m5.large"
    instance_count: int = Field(default=2, ge=1)
    content_type: Literal["text/csv", "application/json"] = "text/csv"


class Cadence(_Section):
    """How often logs are counted and judged, and over which slice."""

    profile: Literal["hourly", "daily"] = "hourly"
    judge: Literal["hourly", "daily", "weekly"] = "daily"
    window_days: int = Field(default=7, ge=1, le=90)


class DriftPolicy(_Section):
    """Limits on each statistic; a column's own `psi_max` overrides the critical one."""

    psi_warning: float = Field(default=0.1, gt=0)
    psi_max: float = Field(default=0.25, gt=0)
    jensen_shannon_distance_max: Fraction = 0.3
    p_value_min: Fraction = 0.001
    effect_warning: Fraction = 0.05
    effect_max: Fraction = 0.10
    missing_fraction_increase_max: Fraction = 0.05
    unseen_fraction_max: Fraction = 0.01
    unparsable_fraction_max: Fraction = 0.001
    out_of_range_fraction_max: Fraction = 0.05
    minimum_rows: int = Field(default=200, ge=1)


class Labels(_Section):
    """The late truth: where its value stands and when it is complete."""

    label_horizon_days: float | None = Field(default=None, ge=0, le=400)
    horizon_quantile: Fraction = 0.95
    classes: tuple[str, ...] = ("0", "1")


class PerformancePolicy(_Section):
    """When measured quality counts as lost against the champion's out-of-sample reference."""

    metric: Literal["auc", "accuracy", "f1", "brier", "log_loss"] = "auc"
    tolerance: float = Field(default=0.02, ge=0)
    confidence: Fraction = 0.95
    coverage_min: Fraction = 0.5
    minimum_rows: int = Field(default=200, ge=1)
    minimum_per_class: int = Field(default=30, ge=1)


class RetrainingPolicy(_Section):
    """When a retraining starts, and how often at most."""

    on_performance: bool = True
    on_drift: Literal["when_labels_lag", "always", "never"] = "when_labels_lag"
    every_days: int | None = Field(default=None, ge=1)
    persistence_windows: int = Field(default=1, ge=1)
    cooldown_days: int = Field(default=14, ge=0)
    maximum_per_month: int = Field(default=2, ge=1)
    attempts_maximum: int = Field(default=3, ge=1)
    labels_lag_days: int = Field(default=45, ge=1)
    min_new_labelled_rows: int = Field(default=500, ge=1)
    paused: bool = False


class Training(_Section):
    """The training job and the rows that it sees."""

    entry_point: str = "train.py"
    framework: Literal["xgboost", "sklearn"] = "xgboost"
    framework_version: str = "1.7-1"
    image: str | None = None
    instance_type: str = "ml.m5.xlarge"
    max_runtime_seconds: int = Field(default=3600, ge=60)
    window_days: int = Field(default=365, ge=1)
    holdout_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    minimum_rows: int = Field(default=1000, ge=1)
    hyperparameters: Mapping[str, str | int | float] = Field(default_factory=dict)


class GatePolicy(_Section):
    """What a challenger must show on the holdout."""

    metric: Literal["auc", "brier", "log_loss"] = "auc"
    minimum_effect: float = Field(default=0.01, ge=0)
    confidence: Fraction = 0.95
    minimum_holdout_rows: int = Field(default=200, ge=1)


class CanaryPolicy(_Section):
    """How a release is tried before it is believed."""

    traffic_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    bake_minutes: int = Field(default=45, ge=10, le=60)
    termination_wait_minutes: int = Field(default=10, ge=0, le=60)
    minimum_requests: int = Field(default=100, ge=1)
    server_error_fraction_max: Fraction = 0.01
    client_error_fraction_max: Fraction = 0.05
    latency_max_ms: float = Field(default=1000, gt=0)
    behaviour_p_value_min: Fraction = 0.0001
    behaviour_effect_max: Fraction = 0.3


class Alerts(_Section):
    """From which severity on a person hears of a window."""

    severity_from: Literal["WARNING", "CRITICAL"] = "CRITICAL"


class ModelConfig(_Section):
    """One watched model."""

    model: Name
    problem: Problem = "binary_classification"
    endpoint: Endpoint
    features: tuple[Feature, ...] = Field(min_length=1)
    prediction: Prediction = Prediction()
    cadence: Cadence = Cadence()
    drift: DriftPolicy = DriftPolicy()
    labels: Labels = Labels()
    performance: PerformancePolicy = PerformancePolicy()
    retraining: RetrainingPolicy = RetrainingPolicy()
    training: Training = Training()
    gate: GatePolicy = GatePolicy()
    canary: CanaryPolicy = CanaryPolicy()
    alerts: Alerts = Alerts()

    @model_validator(mode="after")
    def _names_are_unique(self) -> ModelConfig:
        names = [feature.name for feature in self.features] + [self.prediction.name]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"column names must be unique, these are not: {', '.join(doubled)}")
        return self

    @model_validator(mode="after")
    def _classes_fit_the_problem(self) -> ModelConfig:
        classes = self.labels.classes
        if len(set(classes)) < len(classes) or len(classes) < 2:
            raise ValueError(f"labels.classes is {list(classes)}: at least two different ones are needed")
        if self.problem == "binary_classification" and len(classes) != 2:
            raise ValueError(
                f"labels.classes is {list(classes)}: binary_classification has two, the one predicted last"
            )
        return self

    @property
    def package_group(self) -> str:
        """The model package group in the registry."""
        return self.model

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The payload's columns, in order."""
        return tuple(feature.name for feature in self.features)


def parse_model_config(text: str, *, source: str) -> ModelConfig:
    """Read one model's YAML.

    Raises
    ------
    ModelConfigError
        Naming the file, the field, the value and what would be allowed; a misspelt field
        comes with the one that was probably meant.
    """
    try:
        data = yaml.load(text, _UniqueKeys)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise ModelConfigError(source=source, problems=[f"not YAML: {error}"]) from error
    if not isinstance(data, dict):
        raise ModelConfigError(source=source, problems=["the file must be a mapping of fields"])
    try:
        # JSON mode lets a YAML list fill a tuple and an integer a float while staying strict.
        return ModelConfig.model_validate_json(_as_json(data))
    except ValidationError as error:
        raise ModelConfigError(source=source, problems=[_sentence(e) for e in error.errors()]) from error
    except (ValueError, RecursionError) as error:
        raise ModelConfigError(source=source, problems=["a value refers to itself, or is nested too deep"]) from error


class _UniqueKeys(yaml.SafeLoader):
    """YAML says that a field stands once; PyYAML would take the last and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: list[Any] = []
        for key, _ in node.value:
            name = key.value
            if name in names and name != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} is there twice", key.start_mark)
            names.append(name)
        return super().construct_mapping(node, deep)


def _as_json(data: dict[str, Any]) -> str:
    return json.dumps(data, default=str)


def _sentence(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        section: Any = ModelConfig
        known = list(_fields_at(section, error["loc"][:-1]))
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        return f"{place} is not a field" + (
            f"; did you mean {near[0]}?" if near else f"; the fields are {', '.join(known)}"
        )
    if error["type"] == "missing":
        return f"{place} is required"
    if error["type"] == "value_error":
        # Our own sentence says it all; the input would be the whole file.
        return str(error["msg"]).removeprefix("Value error, ")
    return f"{place} is {error['input']!r}: {error['msg']}"


def _fields_at(section: type[BaseModel], path: tuple[str | int, ...]) -> Mapping[str, Any]:
    for part in path:
        if isinstance(part, int):
            continue
        annotation: Any = section.model_fields[part].annotation
        inner = [a for a in getattr(annotation, "__args__", (annotation,)) if isinstance(a, type)]
        section = next(a for a in inner if issubclass(a, BaseModel))
    return section.model_fields
