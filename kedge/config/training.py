"""The training of a model: the job, its machines and its script, and the rows that it sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kedge.config.instance_types import has_local_storage
from kedge.config.sections import ColumnName, Days, InstanceType, Section, ValidationPolicy, Vpc
from kedge.config.trainers.tuning import FIGURES, TAKEN, TUNABLE, WHOLE, Tuning

# Older than any row.
FIRST_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# The retrain machine waits an hour longer than this for a job: instances start, and the artefact is written.
TRAINING_SECONDS_MAX = 39_600
# Images with Python 3.12, which AWS patches until May and July 2027.
XGBOOST = {"framework_version": "3.2-0", "entry_point": "train.py"}
SKLEARN = {"framework_version": "1.9-0", "entry_point": "train_sklearn.py"}


# A folder beside the YAML files' own: its name is a part of an object's key.
SOURCE_DIR = "training"
# They learn on one instance each.
OWN_SCRIPTS = (XGBOOST["entry_point"], SKLEARN["entry_point"])
VOLUME_GIB = 30
_VARIABLE = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
# Of CreateTrainingJob, which is stricter than CreateModel. https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
_VARIABLES_MAX, _CHARACTERS_MAX, _OWN_VARIABLES = 100, 512, 5
_RESERVED = ("SAGEMAKER_", "SM_", "PIP_NO_BUILD_ISOLATION", "TRAINING_JOB_NAME", "AWS_")
# What a pipeline can be told of a retraining.
PipelineFact = Literal["train_uri", "manifest_uri", "output_uri", "training_end", "run"]
# What says how Kedge's own job trains, and would say nothing to a pipeline.
_OF_THE_JOB = (
    "source_dir", "entry_point", "environment", "instance_count", "volume_gib", "spot", "max_wait_seconds", "vpc", "network_isolation",
    "algorithm", "validation_fraction", "tuning",
)  # fmt: skip
# What says which script trains, and in what.
_OF_THE_SCRIPT = ("source_dir", "entry_point", "framework", "image", "serving_image", "instance_count")
Environment = Mapping[Annotated[str, Field(pattern=_VARIABLE, examples=["THREADS"])], str]
MLFLOW_ARN = (
    r"^arn:aws(-us-gov)?:sagemaker:[a-z0-9-]+:[0-9]{12}:mlflow-(tracking-server|app)/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$"
)
MLFLOW_EXAMPLE = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team"


def run_prefix(resource_name: str) -> str:
    """How the names of a model's retrainings, and of their jobs, begin; a model with a long name may share it with another."""
    return resource_name[:24].rstrip("-")


def is_read_by_sagemaker(image: str) -> bool:
    """Whether SageMaker reads this image's log by definitions of its own, and refuses others, also where the image runs a script.

    >>> is_read_by_sagemaker("1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"), is_read_by_sagemaker("mine:1")
    (True, False)
    """
    return re.split("[:@]", image.partition("/")[2])[0] == "sagemaker-xgboost"


def tuning_pattern(resource_name: str) -> str:
    """What the names of a model's tuning jobs are like: they begin with the first 14 characters of a run.

    A short name leaves room in them for a part of what the run was for.

    >>> tuning_pattern("hotel-cancellations"), tuning_pattern("hotel")
    ('hotel-cancella-*tune-*', 'hotel-*tune-*')
    """
    return f"{run_prefix(resource_name)[:14].rstrip('-')}-*tune-*"


class Training(Section):
    """The training job and the rows that it sees."""

    source_dir: Annotated[
        str, Field(pattern=r"^[a-zA-Z0-9][\w.-]*(/[a-zA-Z0-9][\w.-]*)*$", examples=["fraud_training"])
    ] = SOURCE_DIR
    entry_point: Annotated[str, Field(pattern=r"^[\w-][\w.-]*\.(py|sh)$", examples=["train.py"])] = XGBOOST[
        "entry_point"
    ]
    framework: Literal["xgboost", "sklearn"] = "xgboost"
    framework_version: Annotated[str, Field(pattern=r"^\d[\w.-]*$", examples=["3.2-0"])] = XGBOOST["framework_version"]
    image: str | None = None
    serving_image: str | None = None
    algorithm: Literal["xgboost"] | None = None
    environment: Environment = Field(default_factory=dict)
    serving_environment: Environment = Field(default_factory=dict)
    instance_type: InstanceType = "ml.m5.xlarge"
    instance_count: int = Field(default=1, ge=1, le=100)
    volume_gib: int = Field(default=VOLUME_GIB, ge=1, le=16_384)
    max_runtime_seconds: int = Field(default=3600, ge=60, le=TRAINING_SECONDS_MAX)
    spot: bool = False
    max_wait_seconds: int | None = Field(default=None, ge=60, le=TRAINING_SECONDS_MAX)
    vpc: Vpc | None = None
    network_isolation: bool = True
    pipeline: (
        Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$", examples=["fraud-training"])] | None
    ) = None
    pipeline_parameters: Mapping[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9\-_]{1,256}$", examples=["TrainUri"])], PipelineFact
    ] = Field(default_factory=lambda: dict[str, PipelineFact](TrainUri="train_uri"))
    window: Literal["sliding", "expanding"] = "sliding"
    window_days: Days = 365
    holdout_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    validation_rows: Literal["newest", "random"] = "newest"
    tuning: Tuning | None = None
    minimum_rows: int = Field(default=1000, ge=1)
    maximum_rows: int | None = Field(default=None, ge=1)
    maximum_holdout_rows: int = Field(default=500_000, ge=1)
    class_ratio_max: float | None = Field(default=None, ge=1)
    initial_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validation: ValidationPolicy = Field(default_factory=ValidationPolicy)
    permuted_rows: int = Field(default=200, ge=0, le=100_000)
    mlflow_arn: Annotated[str, Field(pattern=MLFLOW_ARN, examples=[MLFLOW_EXAMPLE])] | None = None
    hyperparameters: Mapping[str, str | int | float] = Field(default_factory=dict)
    feature_group: (
        Annotated[str, Field(pattern=r"^[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}$", examples=["customers"])] | None
    ) = None
    record_identifier: ColumnName | None = None
    # Not strict: behind a validator that runs before, pydantic sees a list, not JSON's array.
    request_features: Annotated[tuple[ColumnName, ...], Field(strict=False)] = ()
    trust_event_time: bool = False

    @model_validator(mode="after")
    def _a_feature_group_is_named(self) -> Training:
        # By value, not by what is written: a package's schema is read again with every default in it.
        others = [name for name in ("record_identifier", "request_features", "trust_event_time") if getattr(self, name)]
        if others and self.feature_group is None:
            names = ", ".join(f"training.{name}" for name in others)
            raise ValueError(
                f"{names} without training.feature_group: name the feature group, or remove what is about it"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _version_and_script_follow_the_framework(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("framework") == "sklearn":
            return {**SKLEARN, **given}
        return given

    @model_validator(mode="after")
    def _the_wait_is_of_spot_and_long_enough(self) -> Training:
        wait = self.max_wait_seconds
        if wait is not None and not self.spot:
            raise ValueError("training.max_wait_seconds is there without training.spot: true; remove it")
        if wait is not None and wait < self.max_runtime_seconds:
            raise ValueError(
                f"training.max_wait_seconds is {wait} and training.max_runtime_seconds {self.max_runtime_seconds}: SageMaker counts "
                "the run as a part of the wait and refuses a shorter one"
            )
        return self

    @model_validator(mode="after")
    def _rows_kept_apart_have_their_share(self) -> Training:
        if self.validation_rows != "newest" and not self.validation_fraction:
            raise ValueError(
                "training.validation_rows is there without training.validation_fraction, and no rows are kept apart: name their "
                "share, or remove it"
            )
        return self

    @model_validator(mode="after")
    def _disks_of_the_instances_have_their_size(self) -> Training:
        if self.volume_gib != VOLUME_GIB and has_local_storage(self.instance_type):
            raise ValueError(
                f"training.volume_gib is there, and {self.instance_type} works on NVMe disks of its own, whose size is fixed: remove "
                "it"
            )
        return self

    @model_validator(mode="after")
    def _several_instances_have_a_script_for_them(self) -> Training:
        if self.instance_count > 1 and self.source_dir == SOURCE_DIR and self.entry_point in OWN_SCRIPTS:
            raise ValueError(
                f"training.instance_count is {self.instance_count}, and {self.entry_point} learns on one instance: name a script of "
                "your own that shares the work (SM_HOSTS and SM_CURRENT_HOST), or leave one instance"
            )
        return self

    @model_validator(mode="after")
    def _environments_are_what_sagemaker_takes(self) -> Training:
        for name, given in (("environment", self.environment), ("serving_environment", self.serving_environment)):
            if len(given) > _VARIABLES_MAX - _OWN_VARIABLES:
                raise ValueError(
                    f"training.{name} has {len(given)} variables: SageMaker takes {_VARIABLES_MAX}, and {_OWN_VARIABLES} are Kedge's"
                )
            for variable, value in given.items():
                if variable.startswith(_RESERVED):
                    raise ValueError(
                        f"training.{name} has {variable}: names that begin with {', '.join(_RESERVED)} are SageMaker's and Kedge's; "
                        "choose another"
                    )
                if max(len(variable), len(value)) > _CHARACTERS_MAX:
                    raise ValueError(
                        f"training.{name}.{variable} is longer than {_CHARACTERS_MAX} characters, SageMaker's limit: put the value "
                        "into a file beside the script"
                    )
        return self

    @model_validator(mode="after")
    def _a_pipeline_trains_by_itself(self) -> Training:
        if self.pipeline is None:
            if self.pipeline_parameters != {"TrainUri": "train_uri"}:
                raise ValueError(
                    "training.pipeline_parameters is there without training.pipeline: name the pipeline, or remove it"
                )
            return self
        given = [name for name in self._said(_OF_THE_JOB) if not self._is_own_script(name)]
        if given:
            names = ", ".join(f"training.{name}" for name in given)
            raise ValueError(
                f"{names} beside training.pipeline: the pipeline {self.pipeline} says itself how it trains; remove what is about a job"
            )
        twice = sorted(set(self.pipeline_parameters) & set(self.hyperparameters))
        if twice:
            raise ValueError(
                f"{', '.join(twice)} stands in training.pipeline_parameters and in training.hyperparameters: a parameter of the pipeline has "
                "one value; remove one of them"
            )
        return self

    @model_validator(mode="after")
    def _an_algorithm_has_no_script(self) -> Training:
        given = [f"training.{name}" for name in self._said(_OF_THE_SCRIPT)] if self.algorithm else []
        if given:
            raise ValueError(
                f"{', '.join(given)} beside training.algorithm: SageMaker's own {self.algorithm} trains on one instance and answers "
                "without a script; remove it"
            )
        return self

    @model_validator(mode="after")
    def _what_is_tuned_can_be(self) -> Training:
        if self.tuning is None:
            return self
        fixed = sorted({*self.tuning.ranges} & {*self.hyperparameters})
        unknown = sorted({*self.tuning.ranges} - {*TAKEN[self.entry_point]}) if self.is_of_kedge else []
        broken = [
            name
            for name in WHOLE
            if self.is_aws_xgboost and name in self.tuning.ranges and self.tuning.ranges[name].continuous
        ]
        untunable = sorted({*self.tuning.ranges} - {*TUNABLE}) if self.is_aws_xgboost else []
        for refused, why in (
            (fixed, f"{', '.join(fixed)} in training.tuning.ranges and in training.hyperparameters: keep one of them"),
            (
                untunable,
                f"training.tuning.ranges has {', '.join(untunable)}: of SageMaker's XGBoost image, also with a script, only "
                f"{', '.join(TUNABLE)} can be tuned; remove it, or train in an image of your own",
            ),
            (
                unknown,
                f"training.tuning.ranges has {', '.join(unknown)}, which {self.entry_point} does not take: of what can be tuned it takes "
                f"{', '.join(TAKEN.get(self.entry_point, ()))}; remove it, or train with a script of your own",
            ),
            (broken, f"training.tuning.ranges: {', '.join(broken)} takes whole numbers alone; write integer"),
            (
                self.is_aws_xgboost and self.tuning.metric not in FIGURES,
                f"training.tuning.metric is {self.tuning.metric}: SageMaker reads {', '.join(FIGURES)} from its XGBoost image's log "
                "and nothing else",
            ),
            (
                not self.validation_fraction and (self.algorithm is not None or self.entry_point in OWN_SCRIPTS),
                "training.tuning without training.validation_fraction: by rows that a job has learnt from, the best one is the one "
                "that knows them by heart; keep some apart, such as 0.1",
            ),
            (
                self.spot,
                "training.spot beside training.tuning: the jobs of a tuning would share one place for their checkpoints, and go on from "
                "each other's; remove it",
            ),
        ):
            if refused:
                raise ValueError(why)
        return self

    @property
    def is_of_kedge(self) -> bool:
        """Whether one of Kedge's own scripts trains, in the image that it is made for."""
        is_own_place = self.source_dir == SOURCE_DIR and self.entry_point in OWN_SCRIPTS
        return is_own_place and self.algorithm is None and self.image is None

    @property
    def is_aws_xgboost(self) -> bool:
        """Whether SageMaker's own XGBoost image trains."""
        return is_read_by_sagemaker(self.image) if self.image else self.framework == "xgboost"

    @model_validator(mode="after")
    def _rows_can_be_enough(self) -> Training:
        if self.maximum_rows is not None and self.maximum_rows < self.minimum_rows:
            raise ValueError(
                f"training.maximum_rows is {self.maximum_rows} and training.minimum_rows {self.minimum_rows}: no training can have "
                "both; raise the first or lower the second"
            )
        return self

    def _said(self, names: Sequence[str]) -> list[str]:
        """Which of these fields are not as they are without a word."""
        # By value, not by what is written: a package's schema is read again with every default in it.
        fields = type(self).model_fields
        return [name for name in names if getattr(self, name) != fields[name].get_default(call_default_factory=True)]

    def _is_own_script(self, name: str) -> bool:
        return name == "entry_point" and self.entry_point in OWN_SCRIPTS

    def reaches_to(self, now: datetime) -> datetime:
        """The oldest time whose rows a retraining at this time may use: an expanding window has no oldest one."""
        return FIRST_TIME if self.window == "expanding" else now - timedelta(days=self.window_days)

    @property
    def waits_seconds(self) -> int:
        """How long a job on spot instances may take with its waits for instances: without a word twice its run."""
        return self.max_wait_seconds or min(2 * self.max_runtime_seconds, TRAINING_SECONDS_MAX)

    @property
    def framework_image(self) -> str:
        """The name of the framework's image, such as `xgboost 3.2-0`: synth finds its URI."""
        return f"{self.framework} {self.framework_version}"
