"""A watched model as its YAML describes it: everything that a data scientist tunes."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, PrivateAttr, model_validator

from kedge.config.fits.captures import require_expiry
from kedge.config.fits.meant import meant
from kedge.config.fits.release import require_ab_test, require_deployment, require_shadow
from kedge.config.fits.training import require_algorithm, require_budget, require_figure, require_holdout
from kedge.config.gate import ApprovalPolicy, GatePolicy
from kedge.config.gauges import Metrics
from kedge.config.metrics import gate_metrics, known_metrics
from kedge.config.owners import Owner
from kedge.config.policies import (
    Alerts,
    BusinessFigure,
    CanaryPolicy,
    DriftPolicy,
    FairnessPolicy,
    HealthPolicy,
    PerformancePolicy,
    QualityPolicy,
    ReleasePolicy,
    SegmentPolicy,
    is_challenger,
)
from kedge.config.prices import USD_AN_HOUR
from kedge.config.retraining import RetrainingPolicy
from kedge.config.sections import (
    Cadence,
    Capture,
    ColumnName,
    Endpoint,
    Feature,
    Labels,
    Mode,
    Name,
    Prediction,
    Problem,
    Section,
    Source,
)
from kedge.config.stage import ENDPOINT_CHARACTERS, RESOURCE_CHARACTERS, Stage
from kedge.config.staging import Staging
from kedge.config.training import Training
from kedge.errors import ModelConfigError
from kedge.own_columns import EVENT_ID, ROW_ID, TIME, VARIANT


class ModelConfig(Section):
    """One watched model."""

    model: Name
    mode: Mode = "manage"
    owner: Owner = Field(default_factory=Owner)
    source: Source = "endpoint"
    firehose: bool = False
    problem: Problem = "binary_classification"
    endpoint: Endpoint = Field(default_factory=Endpoint)
    capture: Capture = Field(default_factory=Capture)
    features: tuple[Feature, ...]
    context: tuple[ColumnName, ...] = ()
    sensitive: tuple[ColumnName, ...] = ()
    prediction: Prediction = Field(default_factory=Prediction)
    cadence: Cadence = Field(default_factory=Cadence)
    drift: DriftPolicy = Field(default_factory=DriftPolicy)
    quality: QualityPolicy = Field(default_factory=QualityPolicy)
    labels: Labels = Field(default_factory=Labels)
    performance: PerformancePolicy = Field(default_factory=PerformancePolicy)
    retraining: RetrainingPolicy = Field(default_factory=RetrainingPolicy)
    training: Training = Field(default_factory=Training)
    gate: GatePolicy = Field(default_factory=GatePolicy)
    staging: Staging | None = None
    approval: ApprovalPolicy = Field(default_factory=ApprovalPolicy)
    canary: CanaryPolicy = Field(default_factory=CanaryPolicy)
    release: ReleasePolicy = Field(default_factory=ReleasePolicy)
    alerts: Alerts = Field(default_factory=Alerts)
    metrics: Metrics = "none"
    health: HealthPolicy = Field(default_factory=HealthPolicy)
    segments: SegmentPolicy = Field(default_factory=SegmentPolicy)
    fairness: FairnessPolicy = Field(default_factory=FairnessPolicy)
    business: tuple[BusinessFigure, ...] = ()
    # A fact of the deployment, in no YAML.
    _stage: Stage = PrivateAttr(default_factory=Stage)

    @model_validator(mode="after")
    def _the_source_is_whole(self) -> ModelConfig:
        batch, log = self.source == "batch_transform", self.source == "log"
        for refused, why in (
            (
                self.has_endpoint and not self.endpoint.name,
                "endpoint.name is required: the endpoint that serves the model",
            ),
            (
                not self.has_endpoint and self.mode == "manage",
                f"source is {self.source}, and mode is manage: Kedge releases a package to an endpoint; what answers elsewhere is "
                "watched (mode: watch)",
            ),
            (
                batch and self.capture.uri is None,
                "capture.uri is required: the DestinationS3Uri of the transform jobs' DataCaptureConfig",
            ),
            (
                batch and bool(self.endpoint.name),
                "endpoint.name is there, and source is batch_transform: remove one of them",
            ),
            (
                batch and self.capture.sampling_percentage != 100,
                "capture.sampling_percentage: a transform job captures all that it answers; remove the field",
            ),
            (
                batch and self.capture.counted_percentage != 100,
                "capture.counted_percentage: a transform job is judged by all that it answers; remove the field",
            ),
            (
                batch and bool(self.endpoint.custom_attributes),
                "endpoint.custom_attributes: transform jobs have none; remove the field",
            ),
            (
                log and self.endpoint != Endpoint(),
                "endpoint is there, and source is log: a log has none, and its records have names; remove the section",
            ),
            (self.firehose and not log, "firehose is true: it is for models with `source: log`"),
            (
                self.firehose and self.capture.uri is not None,
                "firehose is true, and capture.uri is there: Firehose writes below logs/ of the data bucket; remove one of them",
            ),
        ):
            if refused:
                raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _both_sides_are_captured_where_both_are_needed(self) -> ModelConfig:
        captured = self.capture.mode
        if self.capture.has_requests and not self.features:
            raise ValueError(
                "features is empty: name at least one, or where requests are not captured, say capture.mode: Output"
            )
        if not self.capture.has_requests and self.features:
            raise ValueError(
                "capture.mode is Output, so no request is captured, and features has columns of it: write features: []"
            )
        if captured != "InputAndOutput" and not self.has_endpoint:
            raise ValueError(
                f"capture.mode is {captured}, and source is {self.source}: it is for endpoints; remove the field"
            )
        if captured != "InputAndOutput" and self.mode == "manage":
            raise ValueError(
                f"capture.mode is {captured}, and mode is manage: a retraining needs requests and answers; let the endpoint capture "
                f"both (kedge adopt {self.endpoint.name} --enable-capture --apply), remove capture.mode, adopt it anew, then manage it"
            )
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> ModelConfig:
        names = [feature.name for feature in self.features] + [*self.answer_columns]
        names += [self.margin_column] if self.margin_column else []
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"column names must be unique, these are not: {', '.join(doubled)}")
        for feature in self.features:
            if feature.renamed_from in self.feature_names:
                raise ValueError(
                    f"feature {feature.name} is renamed_from {feature.renamed_from}, which is a feature still"
                )
        return self

    @model_validator(mode="after")
    def _context_stands_beside_the_features(self) -> ModelConfig:
        taken = [name for name in self.context if name in (*self.feature_names, *self.answer_columns)]
        if taken:
            raise ValueError(
                f"context has {', '.join(map(repr, taken))}, which is a feature or the answer already: what the model reads can be "
                "sliced by as it is; take it out of context"
            )
        if len(set(self.context)) < len(self.context):
            raise ValueError(f"context is {list(self.context)}: each name may stand there once")
        return self

    @model_validator(mode="after")
    def _retraining_can_be_counted(self) -> ModelConfig:
        if self.problem == "regression" and self.retraining.confidence_min is not None:
            raise ValueError(
                "retraining.confidence_min is a share of right answers, and a regression has none: remove it"
            )
        priced = self.retraining.usd_per_instance_hour is not None
        instance_type = self.training.instance_type
        if self.retraining.budget_usd_per_month is not None and not priced and instance_type not in USD_AN_HOUR:
            raise ValueError(
                f"retraining.budget_usd_per_month: no price of {instance_type} is known; say what an hour of it costs in "
                "retraining.usd_per_instance_hour"
            )
        return self

    @model_validator(mode="after")
    def _a_training_fits(self) -> ModelConfig:
        require_holdout(self.training, self.gate)
        require_figure(self.training, self.problem)
        require_budget(self.training, self.retraining)
        return self

    @model_validator(mode="after")
    def _rules_are_of_features(self) -> ModelConfig:
        kinds = {feature.name: feature for feature in self.features}
        for name, rule in self.training.validation.columns.items():
            place = f"training.validation.columns.{name}"
            if name not in kinds:
                raise ValueError(f"{place}: there is no such feature{meant(name, self.feature_names)}")
            is_text = kinds[name].declared_dtype == "string"
            bounded = rule.at_least is not None or rule.at_most is not None
            if (bounded and (is_text or kinds[name].kind == "timestamp")) or (rule.levels and not is_text):
                raise ValueError(f"{place}: at_least and at_most are for numbers, and levels for categories")
        if self.problem == "regression" and self.training.class_ratio_max is not None:
            raise ValueError("training.class_ratio_max is about classes, and a regression has none: remove it")
        return self

    @model_validator(mode="after")
    def _an_endpoint_has_the_health(self) -> ModelConfig:
        # By value, not by what is written: a package's schema is read again with every default in it.
        if not self.endpoint.name and self.health not in (HealthPolicy(), HealthPolicy(enabled=False)):
            raise ValueError("health: there is no endpoint whose health could be watched; remove the section")
        return self

    @model_validator(mode="after")
    def _captures_may_expire(self) -> ModelConfig:
        cost = (self.performance.cost_column,) if self.performance.cost_column else ()
        beside = {*self.endpoint.custom_attributes} - {*self.feature_names, *self.context}
        asked = dict.fromkeys((*self.fairness.columns, *self.business_columns, *cost))
        require_expiry(
            self.capture,
            self.mode,
            read=[name for name in asked if name in beside],
            cadence=self.cadence,
            labels=self.labels,
            training=self.training,
        )
        return self

    @model_validator(mode="after")
    def _a_release_fits(self) -> ModelConfig:
        require_deployment(self.release, self.canary, self.endpoint.instance_count)
        require_shadow(self.release, self.endpoint.instance_type, self.problem)
        require_ab_test(self.release, self.gate, self.business, self.performance, self.problem)
        return self

    @model_validator(mode="after")
    def _a_variant_of_its_own_name(self) -> ModelConfig:
        for name in (self.endpoint.variant, *self.endpoint.variants):
            if is_challenger(name):
                raise ValueError(
                    f"endpoint has the variant {name}: Kedge gives this name to a version that it tries; take another one"
                )
        return self

    @model_validator(mode="after")
    def _several_variants_are_watched(self) -> ModelConfig:
        if self.endpoint.variants and self.source != "endpoint":
            raise ValueError(f"endpoint.variants is there, and source is {self.source}: remove one of them")
        if self.endpoint.variants and self.mode == "manage":
            raise ValueError(
                "endpoint.variants is there, and mode is manage: Kedge releases to an endpoint with one production variant, for "
                "none of several is clearly the champion; watch them (mode: watch), or leave one and name it in endpoint.variant"
            )
        return self

    @model_validator(mode="after")
    def _the_answer_has_one_place(self) -> ModelConfig:
        described = self.endpoint
        if self.prediction.field is not None and (described.has_answer_path or described.answer_places != (None, None)):
            raise ValueError(
                "prediction.field and endpoint.inference_attribute or probability_attribute all say where the answer stands: keep "
                "one of them"
            )
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
        known = (*self.feature_names, *self.context, *self.endpoint.custom_attributes, *self.labels.fields)
        for name in (*self.fairness.columns, *self.fairness.bands):
            if name not in known:
                raise ValueError(
                    f"fairness.columns names {name!r}, which is neither a feature, nor among context, endpoint.custom_attributes, nor "
                    f"labels.fields{meant(name, known)}"
                )
        for name in self.segments.columns or ():
            sliced = (*self.feature_names, *self.context)
            if name not in sliced:
                raise ValueError(
                    f"segments.columns names {name!r}, which is no feature and not among context{meant(name, sliced)}"
                )
        if self.problem == "regression" and self.fairness.columns and self.fairness.threshold is None:
            raise ValueError("fairness.threshold is required: from which answer on a regression decides favourably")
        favourable = self.fairness.favourable
        if favourable is not None and favourable not in self.labels.classes:
            raise ValueError(f"fairness.favourable is {favourable!r}; the classes are {', '.join(self.labels.classes)}")
        return self

    @model_validator(mode="after")
    def _sensitive_columns_are_beside_the_features(self) -> ModelConfig:
        beside = (*self.context, *self.endpoint.custom_attributes, *self.labels.fields)
        for name in self.sensitive:
            if name in self.feature_names:
                raise ValueError(f"sensitive names {name!r}, which is a feature: write sensitive: true there")
            if name not in beside:
                raise ValueError(
                    f"sensitive names {name!r}, which is not among context, endpoint.custom_attributes and labels.fields{meant(name, beside)}"
                )
        return self

    @model_validator(mode="after")
    def _what_is_staged_is_trained(self) -> ModelConfig:
        # A managed model has an endpoint, and captures both sides: other rules see to it.
        if self.staging is not None and self.mode == "watch":
            raise ValueError(
                "staging is there, and mode is watch: a watched model is never trained; remove the section"
            )
        return self

    @model_validator(mode="after")
    def _an_algorithm_can_read_the_rows(self) -> ModelConfig:
        require_algorithm(
            self.training, self.problem, self.features, self.endpoint, self.prediction, self.labels.classes
        )
        return self

    @model_validator(mode="after")
    def _a_feature_group_fits_the_columns(self) -> ModelConfig:
        training = self.training
        if training.feature_group is None:
            return self
        if self.mode == "watch":
            raise ValueError(
                "training.feature_group is there, and mode is watch: a watched model is never trained; remove it"
            )
        for name in training.request_features:
            if name not in self.feature_names:
                raise ValueError(
                    f"training.request_features names {name!r}, which is no feature{meant(name, self.feature_names)}"
                )
        if not self.group_features:
            raise ValueError(
                "training.request_features names every feature, so the feature group has none to give: remove "
                "training.feature_group, or some of the names"
            )
        known, column = (*self.context, *self.feature_names, ROW_ID), training.record_identifier
        if column is not None and column not in known:
            raise ValueError(
                f"training.record_identifier is {column!r}, which is no feature and not among context{meant(column, known)}; "
                f"{ROW_ID} is the row's own id"
            )
        return self

    @model_validator(mode="after")
    def _business_columns_are_somewhere(self) -> ModelConfig:
        beside = (*self.context, *self.endpoint.custom_attributes)
        known = (*self.feature_names, self.prediction.name, *beside)
        for figure in self.business:
            name, place = figure.column or figure.label_field or "", known if figure.column else self.labels.fields
            if name not in place:
                where = "no column of the requests" if figure.column else "not among labels.fields"
                raise ValueError(f"business.{figure.name} names {name!r}, which is {where}{meant(name, place)}")
            if figure.canary and name in beside:
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
                hint = meant(limit.metric, known, f"they are {', '.join(known)}")
                raise ValueError(f"performance.limits has {limit.metric!r}, no metric of {self.problem}{hint}")
        allowed = gate_metrics(self.problem, self.labels.classes)
        if self.gate.metric is not None and self.gate.metric not in allowed:
            raise ValueError(f"gate.metric is {self.gate.metric!r}: a gate of {self.problem} has {', '.join(allowed)}")
        for limit in self.gate.limits:
            if limit.metric not in allowed:
                raise ValueError(f"gate.limits has {limit.metric!r}: a gate of {self.problem} has {', '.join(allowed)}")
        wanted = {self.gate.metric, *(limit.metric for limit in self.gate.limits)}
        priced = wanted & {"cost_per_thousand", "cost_adjusted_accuracy"}
        if priced and not (self.performance.cost_matrix or self.performance.cost_column):
            raise ValueError(
                f"gate: {min(map(str, priced))} needs to know what an error costs: performance.cost_matrix or performance.cost_column"
            )
        return self

    @model_validator(mode="after")
    def _the_cost_column_is_somewhere(self) -> ModelConfig:
        name = self.performance.cost_column
        known = (*self.feature_names, *self.context, *self.endpoint.custom_attributes, *self.labels.fields)
        if name is not None and name not in known:
            raise ValueError(
                f"performance.cost_column is {name!r}: no feature, and not among context, endpoint.custom_attributes and "
                f"labels.fields{meant(name, known)}"
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
    def hidden(self) -> Mapping[str, bool]:
        """The columns that the YAML hides in sentences (true) or shows there (false); for others their levels decide."""
        said = {feature.name: feature.sensitive for feature in self.features if feature.sensitive is not None}
        return {**said, **dict.fromkeys(self.sensitive, True)}

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that an answer can be; a regression has none."""
        return self.labels.classes if self.problem != "regression" else ()

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """What is kept of an answer: the prediction, then each class's probability where the YAML names them."""
        return (self.prediction.name, *self.prediction.probabilities)

    @property
    def row_identifiers(self) -> tuple[str, ...]:
        """Kedge's own columns of an answered row: its ids, its time, and of several production variants the one that answered."""
        return (ROW_ID, EVENT_ID, TIME, *((VARIANT,) if self.endpoint.variants else ()))

    @property
    def answer_place(self) -> int:
        """Where the prediction stands in a list or a line of CSV, from 0: of two classes the probability, else the class or number."""
        label, score = self.endpoint.answer_places
        named = (score, label) if self.problem == "binary_classification" else (label, score)
        field = self.prediction.field
        return next((place for place in named if place is not None), field if isinstance(field, int) else 0)

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
    def stage(self) -> Stage:
        """The stage that the model is deployed in."""
        return self._stage

    def in_stage(self, stage: Stage) -> ModelConfig:
        """The model as it is deployed in a stage: the endpoint that Kedge itself makes has the stage in its name.

        An endpoint that is only watched, or that was adopted, is its owners': it keeps its name.

        Raises
        ------
        ModelConfigError
            The names that begin with stage and model would be too long.
        """
        if stage == self._stage:
            return self
        if len(stage.named(self.model)) > RESOURCE_CHARACTERS:
            problem = f"{stage.named(self.model)} has more than {RESOURCE_CHARACTERS} characters: shorten the model's name, or the stage's"
            raise ModelConfigError(source=f"{self.model}.yaml", problems=[problem])
        made_here = self.mode == "manage" and self.has_endpoint and self.capture.uri is None
        name = stage.named(self.endpoint.name) if made_here else self.endpoint.name
        if len(name) > ENDPOINT_CHARACTERS:
            problem = f"endpoint.name is {self.endpoint.name}, and {name} has more than {ENDPOINT_CHARACTERS} characters: shorten it"
            raise ModelConfigError(source=f"{self.model}.yaml", problems=[problem])
        found = self.model_copy(update={"endpoint": self.endpoint.model_copy(update={"name": name})})
        found._stage = stage
        return found

    @property
    def resource_name(self) -> str:
        """How the names of what belongs to the model in AWS begin: its package group, executions, jobs and endpoint configs."""
        return self._stage.named(self.model)

    @property
    def package_group(self) -> str:
        """The model package group in the registry."""
        return self.resource_name

    @property
    def has_endpoint(self) -> bool:
        """Whether an endpoint of SageMaker answers, whose requests are counted and whose state can be asked."""
        return self.source == "endpoint"

    @property
    def answers_from(self) -> str:
        """What its answers are from, in words; two models with the same would count the same."""
        if self.has_endpoint:
            return f"endpoint {self.endpoint.name}"
        below = (self.capture.uri or "").rstrip("/")
        if self.source == "log":
            return f"log below {below}" if below else f"log of {self.model}"
        return f"transform jobs below {below}"

    @property
    def group_features(self) -> tuple[Feature, ...]:
        """The features whose values for training are those of the feature group."""
        if self.training.feature_group is None:
            return ()
        return tuple(feature for feature in self.features if feature.name not in self.training.request_features)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The payload's columns, in order."""
        return tuple(feature.name for feature in self.features)
