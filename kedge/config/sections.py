"""The parts of a model's YAML that say what the model is: its columns, its endpoint, its labels, the rows it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kedge.config.id_times import id_time_pattern

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}$", examples=["hotel-cancellations"])]
Fraction = Annotated[float, Field(ge=0, le=1)]
Confidence = Annotated[float, Field(gt=0, lt=1)]
# Ten years: what is longer is a slip of the keyboard, and more than a date can be moved by.
Days = Annotated[int, Field(ge=1, le=3650)]
# A backlog of captures is followed for 30 days, and a day gains for up to three after it is over; a night may fail.
EXPIRE_DAYS_MIN = 35
ColumnName = Annotated[str, Field(pattern=r"\S", examples=["lead_time"])]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", examples=["ml.m5.large"])]
VariantName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", examples=["AllTraffic"])]
Problem = Literal["binary_classification", "multiclass_classification", "regression"]
Mode = Literal["watch", "manage"]
# Where the records of a model's answers are from: an endpoint's Data Capture, the manifests of transform jobs, or a log that whoever
# serves the model writes.
Source = Literal["endpoint", "batch_transform", "log"]
# What of a request is captured, by SageMaker's names; of one side alone, what can be judged is judged.
CaptureMode = Literal["InputAndOutput", "Input", "Output"]
BaselineSource = Literal["training", "trailing", "same_hours"]


class Section(BaseModel):
    """A part of the YAML: unknown fields are refused, and nothing is converted."""

    # Built when it is first used: most programs use few sections.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, allow_inf_nan=False)


class Feature(Section):
    """One column of the payload, in the payload's order."""

    name: ColumnName
    kind: Literal["numeric", "categorical", "boolean", "timestamp"]
    dtype: Literal["float64", "float32", "int64", "string"] | None = None
    effect_max: Fraction | None = None
    effect_warning: Fraction | None = None
    psi_max: float | None = Field(default=None, gt=0)
    watched: bool = True
    baseline: BaselineSource | None = None
    renamed_from: ColumnName | None = None
    sensitive: bool | None = None

    @property
    def declared_dtype(self) -> str:
        """The dtype both sides are cast to before counting."""
        return self.dtype or ("float64" if self.kind in ("numeric", "timestamp") else "string")


class Prediction(Section):
    """Where the answer stands in the output, and how it becomes a class."""

    name: ColumnName = "prediction"
    field: str | int | None = None
    threshold: Fraction = 0.5
    probabilities: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _the_field_is_a_place(self) -> Prediction:
        if (isinstance(self.field, int) and self.field < 0) or not str(self.field).strip():
            raise ValueError(
                f"prediction.field is {self.field!r}: the answer's place, counted from 0, or its name in a JSON object"
            )
        return self


class Vpc(Section):
    """Subnets and security groups of your own, where SageMaker puts the network interfaces of its instances."""

    # Not strict: behind a validator that runs before, pydantic sees a list, not JSON's array.
    subnets: Annotated[
        tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$", examples=["subnet-0a1b2c3d"])], ...],
        Field(min_length=1, max_length=16, strict=False),
    ]
    security_groups: Annotated[
        tuple[Annotated[str, Field(pattern=r"^sg-[0-9a-f]{8,17}$", examples=["sg-0a1b2c3d"])], ...],
        Field(min_length=1, max_length=5, strict=False),
    ]

    @property
    def request(self) -> dict[str, list[str]]:
        """The `VpcConfig` of SageMaker's requests."""
        return {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_groups)}


class Endpoint(Section):
    """The SageMaker endpoint that serves the model, and how requests and answers are read; without a name there is none."""

    name: Annotated[str, Field(pattern=r"^([a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})?$", examples=["hotel-cancellations"])] = ""
    variant: VariantName = "AllTraffic"
    variants: tuple[VariantName, ...] = ()
    instance_type: InstanceType = "ml.m5.large"
    instance_count: int = Field(default=2, ge=1, le=10_000)
    content_type: Literal["text/csv", "application/json"] = "text/csv"
    custom_attributes: tuple[str, ...] = ()
    header: bool | None = None
    features_attribute: str | None = None
    inference_attribute: str | int | None = None
    probability_attribute: str | int | None = None
    exclude_features_attribute: str | int | None = None
    vpc: Vpc | None = None
    network_isolation: bool = True

    @model_validator(mode="after")
    def _variants_are_several(self) -> Endpoint:
        if self.variants and len({*self.variants}) < max(2, len(self.variants)):
            raise ValueError(
                f"endpoint.variants is {list(self.variants)}: the names of at least two production variants, each once; one alone "
                "stands in endpoint.variant"
            )
        return self

    @model_validator(mode="after")
    def _attributes_are_paths_or_places(self) -> Endpoint:
        if self.features_attribute is not None:
            if _is_place(self.features_attribute):
                raise ValueError(
                    f"endpoint.features_attribute is {self.features_attribute!r}: a path into JSON, like instances[*].features. A "
                    "CSV request needs none; what is no feature in it goes into endpoint.exclude_features_attribute"
                )
            _refuse_no_path("features_attribute", self.features_attribute)
        answers = {"inference_attribute": self.inference_attribute, "probability_attribute": self.probability_attribute}
        given = {name: value for name, value in answers.items() if value is not None}
        for name, value in given.items():
            if not _is_place(value):
                _refuse_no_path(name, str(value))
        if len({_is_place(value) for value in given.values()}) > 1:
            raise ValueError(
                "endpoint.inference_attribute and endpoint.probability_attribute must both be a path into JSON, or both a "
                "place in CSV, counted from 0"
            )
        return self

    @property
    def served_variants(self) -> tuple[str, ...]:
        """The production variants whose answers are counted."""
        return self.variants or (self.variant,)

    @property
    def answer_places(self) -> tuple[int | None, int | None]:
        """Where the class or number, and its probability, stand in a list or a line of CSV; where no attribute says so, None."""
        label, score = (
            int(value) if value is not None and _is_place(value) else None
            for value in (self.inference_attribute, self.probability_attribute)
        )
        return label, score

    @property
    def has_answer_path(self) -> bool:
        """Whether the answer is found by a path into JSON."""
        given = [value for value in (self.inference_attribute, self.probability_attribute) if value is not None]
        return bool(given) and not _is_place(given[0])

    @property
    def excluded_places(self) -> tuple[int, ...]:
        """Places of a request's row, counted from 0, that hold no feature; names need none, for rows with names are read by name.

        >>> Endpoint(name="e", exclude_features_attribute="0, 3, customer").excluded_places
        (0, 3)
        """
        parts = str(self.exclude_features_attribute or "").split(",") if self.exclude_features_attribute != 0 else ["0"]
        return tuple(int(part) for part in parts if _is_place(part))

    @property
    def payload_fields(self) -> dict[str, Any]:
        """What says how requests and answers are read."""
        return {name: getattr(self, name) for name in _PAYLOAD_FIELDS}


_PAYLOAD_FIELDS = (
    "content_type",
    "header",
    "features_attribute",
    "inference_attribute",
    "probability_attribute",
    "exclude_features_attribute",
)


def _is_place(value: str | int) -> bool:
    return str(value).strip().isdecimal()


def _refuse_no_path(name: str, path: str) -> None:
    # Here, because few models need it.
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(path)
    except JMESPathError as error:
        said = str(error).splitlines()[0].rstrip(":")
        raise ValueError(
            f"endpoint.{name} is {path!r}, which is no JMESPath ({said}): write it like predictions[*].score, or a place in CSV "
            "such as 0"
        ) from error


class Capture(Section):
    """Where the captures of an adopted endpoint lie, which share of the requests it captures, and whether both sides of them.

    Packages that Kedge released capture every request into its own data bucket, whatever stands here. What lies there is deleted
    once it was counted and its day is `expire_days` old. Of all captured rows, whoever released, `counted_percentage` are counted
    and kept.
    """

    uri: (
        Annotated[
            str,
            Field(
                pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?$", examples=["s3://their-bucket/capture"]
            ),
        ]
        | None
    ) = None
    sampling_percentage: int = Field(default=100, ge=1, le=100)
    counted_percentage: int = Field(default=100, ge=1, le=100)
    mode: CaptureMode = "InputAndOutput"
    expire_days: int | None = Field(default=None, ge=EXPIRE_DAYS_MIN, le=3650)

    @property
    def has_requests(self) -> bool:
        """Whether what clients sent is captured."""
        return self.mode != "Output"

    @property
    def has_answers(self) -> bool:
        """Whether what the model answered is captured."""
        return self.mode != "Input"

    @property
    def bucket(self) -> str | None:
        """The bucket of `uri`; None where there is none."""
        return self.uri.removeprefix("s3://").partition("/")[0] if self.uri else None


class Cadence(Section):
    """How often logs are counted and judged, and over which slice."""

    profile: Literal["hourly", "daily"] = "hourly"
    judge: Literal["hourly", "daily", "weekly"] = "daily"
    window_days: int = Field(default=7, ge=1, le=90)

    @property
    def is_hourly(self) -> bool:
        """Whether something is done each hour, so that the monitor itself is watched as often."""
        return "hourly" in (self.profile, self.judge)


class Labels(Section):
    """The late truth: where its value stands and when it is complete."""

    label_horizon_days: float | None = Field(default=None, ge=0, le=400)
    horizon_quantile: Annotated[float, Field(gt=0, le=1)] = 0.95
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


class ColumnRule(Section):
    """What one feature may hold; what stands here goes before the limits for all."""

    at_least: float | None = None
    at_most: float | None = None
    # Not strict: `Training` looks at what is given before JSON is read, and behind that a list fills no tuple.
    levels: Annotated[tuple[str, ...], Field(strict=False)] = ()
    missing_fraction_max: Fraction | None = None
    may_predict_alone: bool = False

    @model_validator(mode="after")
    def _bounds_leave_something(self) -> ColumnRule:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least is {self.at_least:g} and at_most {self.at_most:g}: no value is within both")
        if self.levels and (self.at_least is not None or self.at_most is not None):
            raise ValueError("levels are of a category, at_least and at_most of a number: keep one of them")
        return self


class ValidationPolicy(Section):
    """Limits on the rows of a retraining; rows beyond them are rejected before a job starts."""

    missing_fraction_max: Fraction = 1.0
    unparsable_fraction_max: Fraction = 0.05
    out_of_range_fraction_max: Fraction = 0.0
    duplicate_fraction_max: Fraction = 1.0
    labelled_fraction_min: Fraction = 0.0
    class_fraction_min: Fraction = 0.0
    single_feature_max: Annotated[float, Field(gt=0.5, le=1)] = 0.995
    drift_psi_warning: float = Field(default=0.25, gt=0)
    columns: Mapping[ColumnName, ColumnRule] = Field(default_factory=dict)

    def rule_of(self, name: str) -> ColumnRule:
        """The rule of a feature; one that says nothing where the YAML has none."""
        return self.columns.get(name, ColumnRule())
