"""A watched model as its YAML describes it: everything that a data scientist tunes."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kedge.errors import ModelConfigError
from kedge.id_times import id_time_pattern
from kedge.metric_names import known_metrics

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Problem = Literal["binary_classification", "multiclass_classification", "regression"]
BaselineSource = Literal["training", "trailing", "same_hours"]
# The first is the one that is judged where the YAML names none.
GATE_METRICS: Mapping[Problem, tuple[str, ...]] = {
    "binary_classification": ("auc", "brier", "log_loss"),
    "multiclass_classification": ("accuracy",),
    "regression": ("mae",),
}


class _Section(BaseModel):
    # Built when it is first used: most programs use few sections.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Feature(_Section):
    """One column of the payload, in the payload's order."""

    name: str
    kind: Literal["numeric", "categorical", "boolean", "timestamp"]
    dtype: Literal["float64", "float32", "int64", "string"] | None = None
    effect_max: Fraction | None = None
    psi_max: float | None = Field(default=None, gt=0)
    watched: bool = True
    baseline: BaselineSource | None = None

    @property
    def declared_dtype(self) -> str:
        """The dtype both sides are cast to before counting."""
        return self.dtype or ("float64" if self.kind in ("numeric", "timestamp") else "string")


class Prediction(_Section):
    """Where the answer stands in the output, and how it becomes a class."""

    name: str = "prediction"
    field: str | int = 0
    threshold: Fraction = 0.5
    probabilities: tuple[str, ...] = ()


class Endpoint(_Section):
    """The SageMaker endpoint that serves the model."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
    variant: str = "AllTraffic"
    instance_type: str = "ml.m5.large"
    instance_count: int = Field(default=2, ge=1)
    content_type: Literal["text/csv", "application/json"] = "text/csv"
    custom_attributes: tuple[str, ...] = ()


class Cadence(_Section):
    """How often logs are counted and judged, and over which slice."""

    profile: Literal["hourly", "daily"] = "hourly"
    judge: Literal["hourly", "daily", "weekly"] = "daily"
    window_days: int = Field(default=7, ge=1, le=90)


class DriftPolicy(_Section):
    """When drift alarms: the rule and its limits; a column's own `effect_max` or `psi_max` overrides the critical one."""

    rule: Literal["effect", "sensitive", "psi"] = "effect"
    alert_budget_per_year: float = Field(default=1.0, gt=0)
    effect_warning: Fraction | None = None
    effect_max: Fraction | None = None
    psi_warning: float = Field(default=0.1, gt=0)
    psi_max: float = Field(default=0.25, gt=0)
    missing_fraction_increase_max: Fraction = 0.05
    unseen_fraction_max: Fraction = 0.01
    unparsable_fraction_max: Fraction = 0.001
    out_of_range_fraction_max: Fraction = 0.05
    minimum_rows: int = Field(default=200, ge=1)
    baseline: BaselineSource = "training"
    trailing_days: int = Field(default=28, ge=1, le=365)
    earlier_weeks: int = Field(default=4, ge=1, le=52)

    @property
    def effect_floors(self) -> tuple[float, float]:
        """Effect beyond chance from which on drift is a WARNING, and CRITICAL: the rule's own where the YAML gives none."""
        warning, critical = (0.02, 0.05) if self.rule == "sensitive" else (0.05, 0.10)
        critical = critical if self.effect_max is None else self.effect_max
        return min(warning if self.effect_warning is None else self.effect_warning, critical), critical


class QualityPolicy(_Section):
    """What a window as a whole may look like: its volume, its age, and what became of its requests."""

    duplicate_fraction_max: Fraction = 0.01
    unreadable_fraction_max: Fraction = 0.01
    captured_fraction_min: Fraction = 0.9
    volume_ratio_max: float = Field(default=2.0, gt=1)
    volume_weeks: int = Field(default=8, ge=3, le=26)


class Labels(_Section):
    """The late truth: where its value stands and when it is complete."""

    label_horizon_days: float | None = Field(default=None, ge=0, le=400)
    horizon_quantile: Fraction = 0.95
    classes: tuple[str, ...] = ("0", "1")
    fields: tuple[str, ...] = ()
    id_time_format: str | None = None
    athena_from_bytes: int = Field(default=256 * 1024**2, ge=0)

    @model_validator(mode="after")
    def _ids_begin_with_a_date(self) -> Labels:
        if self.id_time_format is not None:
            try:
                id_time_pattern(self.id_time_format)
            except ValueError as error:
                raise ValueError(f"labels.id_time_format is {self.id_time_format!r}: {error}") from error
        return self


class PerformanceLimit(_Section):
    """What one metric must hold: a number of its own, or a distance from the champion's reference."""

    metric: str
    tolerance: float | None = Field(default=None, ge=0)
    ratio: float | None = Field(default=None, gt=0)
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_of_four(self) -> PerformanceLimit:
        given = [name for name in ("tolerance", "ratio", "at_least", "at_most") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"performance.limits of {self.metric} has {' and '.join(given) or 'no limit'}: "
                "exactly one of tolerance, ratio, at_least, at_most is asked for"
            )
        return self


class PerformancePolicy(_Section):
    """When measured quality counts as lost against the champion's out-of-sample reference."""

    limits: tuple[PerformanceLimit, ...] = ()
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    coverage_min: Fraction = 0.5
    minimum_rows: int = Field(default=100, ge=1)
    minimum_per_class: int = Field(default=10, ge=1)
    breaches: int = Field(default=1, ge=1)
    of_windows: int = Field(default=1, ge=1)
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.5
    cost_matrix: tuple[tuple[float, ...], ...] = ()
    cost_column: str | None = None

    @model_validator(mode="after")
    def _breaches_fit_the_windows(self) -> PerformancePolicy:
        if self.breaches > self.of_windows:
            raise ValueError(
                f"performance.breaches is {self.breaches} of performance.of_windows {self.of_windows}: "
                "more windows cannot breach than are looked at"
            )
        return self


class RetrainingPolicy(_Section):
    """When a retraining starts, and how often at most."""

    on_performance: bool = True
    on_drift: Literal["when_labels_lag", "always", "never"] = "when_labels_lag"
    on_estimate: Literal["when_labels_lag", "always", "never"] = "when_labels_lag"
    on_confidence: Literal["when_labels_lag", "always", "never"] = "never"
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

    metric: Literal["auc", "brier", "log_loss", "accuracy", "mae"] | None = None
    minimum_effect: float = Field(default=0.01, ge=0)
    calibration_max: Fraction = 0.10
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
    """From which severity on a person hears of a window, and how often while it stays so."""

    severity_from: Literal["WARNING", "CRITICAL"] = "CRITICAL"
    reminder_days: int = Field(default=28, ge=1, le=365)


class SegmentPolicy(_Section):
    """Which slices are looked at for the worst, and when P(y given x) counts as moved on one."""

    columns: tuple[str, ...] | None = None
    minimum_rows: int = Field(default=200, ge=10)
    minimum_per_class: int = Field(default=30, ge=5)
    p_value_min: Fraction = 0.01
    effect_min: Fraction = 0.05
    gap_min: Fraction | None = None
    pair_columns: int = Field(default=5, ge=0, le=20)
    shown: int = Field(default=10, ge=1)


class FairnessPolicy(_Section):
    """Groups that should be treated alike, and how unequal they may be."""

    columns: tuple[str, ...] = ()
    bands: Mapping[str, tuple[float, ...]] = Field(default_factory=dict)
    favourable: str | None = None
    threshold: float | None = None
    minimum_group_rows: int = Field(default=100, ge=10)
    confidence: Fraction = 0.95
    disparate_impact_min: Fraction | None = 0.8
    demographic_parity_difference_max: Fraction | None = None
    equal_opportunity_difference_max: Fraction | None = None


class BusinessFigure(_Section):
    """A value per prediction or per label: what the model is worth in the business's own unit."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,39}$")]
    column: str | None = None
    label_field: str | None = None
    over: Literal[
        "all", "decided_positive", "decided_negative",
        "true_positive", "false_positive", "true_negative", "false_negative",
    ] = "all"  # fmt: skip
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    gate: bool = False
    canary: bool = False

    @property
    def needs_label(self) -> bool:
        """Whether a row's contribution is known only with its label."""
        return self.label_field is not None or self.over.startswith(("true", "false"))

    @property
    def sign(self) -> float:
        """What a difference is multiplied with so that more is better."""
        return 1.0 if self.better == "higher" else -1.0

    @property
    def limits(self) -> tuple[PerformanceLimit, ...]:
        """Its bounds, as a metric's are written."""
        bounds = ({"at_least": self.at_least}, {"at_most": self.at_most})
        return tuple(PerformanceLimit(metric=self.name, **b) for b in bounds if None not in b.values())

    @model_validator(mode="after")
    def _can_be_known(self) -> BusinessFigure:
        if (self.column is None) == (self.label_field is None):
            raise ValueError(f"business.{self.name} needs either column or label_field")
        if self.gate and self.over == "all":
            raise ValueError(f"business.{self.name}.gate: over is all, and both models answer the same rows")
        if self.canary and self.needs_label:
            raise ValueError(f"business.{self.name}.canary: its value waits for labels, and a canary cannot")
        return self


class ModelConfig(_Section):
    """One watched model."""

    model: Name
    problem: Problem = "binary_classification"
    endpoint: Endpoint
    features: tuple[Feature, ...] = Field(min_length=1)
    prediction: Prediction = Field(default_factory=Prediction)
    cadence: Cadence = Field(default_factory=Cadence)
    drift: DriftPolicy = Field(default_factory=DriftPolicy)
    quality: QualityPolicy = Field(default_factory=QualityPolicy)
    labels: Labels = Field(default_factory=Labels)
    performance: PerformancePolicy = Field(default_factory=PerformancePolicy)
    retraining: RetrainingPolicy = Field(default_factory=RetrainingPolicy)
    training: Training = Field(default_factory=Training)
    gate: GatePolicy = Field(default_factory=GatePolicy)
    canary: CanaryPolicy = Field(default_factory=CanaryPolicy)
    alerts: Alerts = Field(default_factory=Alerts)
    segments: SegmentPolicy = Field(default_factory=SegmentPolicy)
    fairness: FairnessPolicy = Field(default_factory=FairnessPolicy)
    business: tuple[BusinessFigure, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> ModelConfig:
        names = [feature.name for feature in self.features] + [*self.answer_columns]
        names += [self.margin_column] if self.margin_column else []
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

    @model_validator(mode="after")
    def _sliced_columns_are_somewhere(self) -> ModelConfig:
        known = (*self.feature_names, *self.endpoint.custom_attributes, *self.labels.fields)
        for name in (*self.fairness.columns, *self.fairness.bands):
            if name not in known:
                raise ValueError(
                    f"fairness.columns names {name!r}, which is neither a feature, nor among endpoint.custom_attributes, nor "
                    f"among labels.fields{_meant(name, known)}"
                )
        for name in self.segments.columns or ():
            if name not in self.feature_names:
                raise ValueError(
                    f"segments.columns names {name!r}, which is no feature{_meant(name, self.feature_names)}"
                )
        if self.problem == "regression" and self.fairness.columns and self.fairness.threshold is None:
            raise ValueError("fairness.threshold is required: from which answer on a regression decides favourably")
        favourable = self.fairness.favourable
        if favourable is not None and favourable not in self.labels.classes:
            raise ValueError(f"fairness.favourable is {favourable!r}; the classes are {', '.join(self.labels.classes)}")
        return self

    @model_validator(mode="after")
    def _business_columns_are_somewhere(self) -> ModelConfig:
        known = (*self.feature_names, self.prediction.name, *self.endpoint.custom_attributes)
        for figure in self.business:
            name, place = figure.column or figure.label_field or "", known if figure.column else self.labels.fields
            if name not in place:
                where = "no column of the requests" if figure.column else "not among labels.fields"
                raise ValueError(f"business.{figure.name} names {name!r}, which is {where}{_meant(name, place)}")
            if figure.canary and name in self.endpoint.custom_attributes:
                raise ValueError(f"business.{figure.name}.canary: a canary is watched by its columns, not by {name!r}")
            if figure.over != "all" and self.problem != "binary_classification":
                raise ValueError(f"business.{figure.name}.over is {figure.over}: only binary_classification decides")
        doubled = {f.name for f in self.business if [g.name for g in self.business].count(f.name) > 1}
        if doubled:
            raise ValueError(f"business has {', '.join(sorted(doubled))} twice")
        return self

    @model_validator(mode="after")
    def _limits_fit_the_problem(self) -> ModelConfig:
        known = known_metrics(self.problem, self.labels.classes)
        for limit in self.performance.limits:
            if limit.metric not in known:
                near = difflib.get_close_matches(limit.metric, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(known)}"
                raise ValueError(f"performance.limits has {limit.metric!r}, no metric of {self.problem}; {hint}")
        if self.gate.metric is not None and self.gate.metric not in GATE_METRICS[self.problem]:
            allowed = ", ".join(GATE_METRICS[self.problem])
            raise ValueError(f"gate.metric is {self.gate.metric!r}: a gate of {self.problem} has {allowed}")
        return self

    @model_validator(mode="after")
    def _the_cost_column_is_somewhere(self) -> ModelConfig:
        name = self.performance.cost_column
        known = (*self.feature_names, *self.endpoint.custom_attributes, *self.labels.fields)
        if name is not None and name not in known:
            raise ValueError(
                f"performance.cost_column is {name!r}: no feature, not in endpoint.custom_attributes and not among "
                f"labels.fields{_meant(name, known)}"
            )
        return self

    @model_validator(mode="after")
    def _costs_fit_the_classes(self) -> ModelConfig:
        matrix, size = self.performance.cost_matrix, len(self.labels.classes)
        if matrix and self.problem == "regression":
            raise ValueError("performance.cost_matrix is for classes: a regression has performance.cost_column")
        if matrix and [len(row) for row in matrix] != [size] * size:
            raise ValueError(
                f"performance.cost_matrix needs {size} rows of {size} numbers: a row for each class that came true, "
                "a number for each class answered, in the order of labels.classes"
            )
        if matrix and self.performance.cost_column:
            raise ValueError("performance.cost_matrix and performance.cost_column are both there: one says the cost")
        if self.prediction.probabilities and len(self.prediction.probabilities) != size:
            raise ValueError(
                f"prediction.probabilities names {len(self.prediction.probabilities)} columns for {size} classes"
            )
        return self

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """What is kept of an answer: the prediction, then each class's probability where the YAML names them."""
        return (self.prediction.name, *self.prediction.probabilities)

    @property
    def margin_column(self) -> str | None:
        """What is derived from the probabilities of several classes, and watched; two classes have it in their one score."""
        several = self.problem == "multiclass_classification" and self.prediction.probabilities
        return f"{self.prediction.name}_margin" if several else None

    @property
    def business_columns(self) -> tuple[str, ...]:
        """Where the business figures' values stand: columns of the requests, or fields of the label records."""
        return tuple(dict.fromkeys(f.column or f.label_field or "" for f in self.business))

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
    # Here, because a model that is made up from its rows needs no YAML.
    from kedge.yaml_mapping import NotAMappingError, read_mapping

    try:
        data = read_mapping(text)
    except NotAMappingError as error:
        raise ModelConfigError(source=source, problems=[str(error)]) from error
    try:
        # JSON mode lets a YAML list fill a tuple and an integer a float while staying strict.
        return ModelConfig.model_validate_json(_as_json(data))
    except ValidationError as error:
        raise ModelConfigError(source=source, problems=[_sentence(e) for e in error.errors()]) from error
    except (ValueError, RecursionError) as error:
        raise ModelConfigError(source=source, problems=["a value refers to itself, or is nested too deep"]) from error


def _meant(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


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
