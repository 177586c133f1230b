"""What a retraining leaves in SageMaker where its machine could not clean up: scoring models, endpoints on trial, jobs that run on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from kedge.retraining.decision import RUN_NAME, tuning_name

# What the name of an endpoint on trial, and of its config, has between its run and its number.
TRIAL = "-staging-"

# SageMaker answers "could not find" with the first code, and "has ended already" with it too.
_GONE = ("ValidationException", "ResourceNotFound")


def scoring_models(sagemaker: Any, name_part: str) -> dict[str, str]:
    """The run of each model that was made to score a holdout, by the model's name.

    The retrain machine names them `<run>-<attempt>` and `<run>-champion-<attempt>`.
    """
    ours = re.compile(rf"({RUN_NAME})(-champion)?-\d+")
    pages = sagemaker.get_paginator("list_models").paginate(NameContains=name_part)
    found = ((item["ModelName"], ours.fullmatch(item["ModelName"])) for page in pages for item in page["Models"])
    return {name: match[1] for name, match in found if match and name.startswith(name_part)}


@dataclass(frozen=True)
class Trials:
    """Endpoints on which challengers were tried, and their configs: the run of each, by its name."""

    endpoints: Mapping[str, str]
    configs: Mapping[str, str]

    @property
    def runs(self) -> set[str]:
        """The runs that have left something."""
        return {*self.endpoints.values(), *self.configs.values()}


def trials(sagemaker: Any, name_part: str) -> Trials:
    """What begins with this name; an endpoint and its config have the same one."""
    endpoints = sagemaker.get_paginator("list_endpoints").paginate(NameContains=name_part)
    configs = sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=name_part)
    return Trials(
        _tried((item["EndpointName"] for page in endpoints for item in page["Endpoints"]), name_part),
        _tried((item["EndpointConfigName"] for page in configs for item in page["EndpointConfigs"]), name_part),
    )


def _tried(names: Iterable[str], name_part: str) -> dict[str, str]:
    ours = re.compile(rf"({RUN_NAME}){TRIAL}\d+")
    found = {name: ours.fullmatch(name) for name in names if name.startswith(name_part)}
    return {name: match[1] for name, match in found.items() if match}


def delete_trials(sagemaker: Any, run: str) -> list[str]:
    """Delete a run's endpoint on trial and its config, and return their names.

    Only what is listed is deleted: IAM allows it by its tag, and what is not there has none. An endpoint that SageMaker still makes
    stays for the next sweep, and needs its config.
    """
    found, kept, gone = trials(sagemaker, run), set[str](), list[str]()
    for name in (name for name, owner in found.endpoints.items() if owner == run):
        try:
            sagemaker.delete_endpoint(EndpointName=name)
            gone.append(name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            kept |= {name} if "in-progress" in error.response["Error"]["Message"] else set()
    for name in (name for name, owner in found.configs.items() if owner == run and name not in kept):
        with whatever_is_gone():
            sagemaker.delete_endpoint_config(EndpointConfigName=name)
            gone.append(name)
    return gone


def is_run(name: str) -> bool:
    """Whether an execution was started by Kedge: what a person's begins like may be anything."""
    return re.fullmatch(RUN_NAME, name) is not None


def delete_model(sagemaker: Any, name: str) -> None:
    """Delete a model; one that is gone is no error."""
    with whatever_is_gone():
        sagemaker.delete_model(ModelName=name)


def stop_jobs(sagemaker: Any, run: str) -> list[str]:
    """Stop the training and transform jobs of a run that are still in progress; return their names."""
    stopped = []
    asked = {"NameContains": run, "StatusEquals": "InProgress"}
    for page in sagemaker.get_paginator("list_training_jobs").paginate(**asked):
        for name in (item["TrainingJobName"] for item in page["TrainingJobSummaries"]):
            if name.startswith(f"{run}-"):
                with whatever_is_gone():
                    sagemaker.stop_training_job(TrainingJobName=name)
                    stopped.append(name)
    for page in sagemaker.get_paginator("list_transform_jobs").paginate(**asked):
        for name in (item["TransformJobName"] for item in page["TransformJobSummaries"]):
            if name.startswith(f"{run}-"):
                with whatever_is_gone():
                    sagemaker.stop_transform_job(TransformJobName=name)
                    stopped.append(name)
    return stopped


def instance_seconds(sagemaker: Any, run: str) -> dict[str, float]:
    """Seconds that the ended training and transform jobs of a run were paid for, by instance type.

    Of a training job SageMaker says how long is billed (less than it ran, with spot). A transform job is counted from its start to
    its end; one that never started costs nothing.
    """
    found: dict[str, float] = {}
    # A tuning names its training jobs after itself.
    for begin in (run, tuning_name(run)):
        for name in _training_jobs(sagemaker, begin):
            if name.startswith(f"{begin}-"):
                job = sagemaker.describe_training_job(TrainingJobName=name)
                _add(
                    found, job["ResourceConfig"], job.get("BillableTimeInSeconds", job.get("TrainingTimeInSeconds", 0))
                )
    for page in sagemaker.get_paginator("list_transform_jobs").paginate(NameContains=run):
        for name in (item["TransformJobName"] for item in page["TransformJobSummaries"]):
            if name.startswith(f"{run}-"):
                job = sagemaker.describe_transform_job(TransformJobName=name)
                begun, ended = job.get("TransformStartTime"), job.get("TransformEndTime")
                _add(found, job["TransformResources"], (ended - begun).total_seconds() if begun and ended else 0.0)
    return found


def _training_jobs(sagemaker: Any, name_part: str) -> Iterator[str]:
    for page in sagemaker.get_paginator("list_training_jobs").paginate(NameContains=name_part):
        yield from (item["TrainingJobName"] for item in page["TrainingJobSummaries"])


def scoring_job_arns(sagemaker: Any, run: str) -> tuple[str, ...]:
    """The transform jobs of a run, in the order of their names."""
    pages = sagemaker.get_paginator("list_transform_jobs").paginate(NameContains=run)
    jobs = (item for page in pages for item in page["TransformJobSummaries"])
    return tuple(sorted(item["TransformJobArn"] for item in jobs if item["TransformJobName"].startswith(f"{run}-")))


def _add(found: dict[str, float], resources: Mapping[str, Any], seconds: float) -> None:
    kind = resources["InstanceType"]
    found[kind] = found.get(kind, 0.0) + seconds * resources["InstanceCount"]


@contextmanager
def whatever_is_gone() -> Iterator[None]:
    """Pass over what was deleted, or has ended, since it was listed."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
