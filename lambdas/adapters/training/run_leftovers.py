"""What a retraining leaves in SageMaker where its machine could not clean up: scoring models, endpoints on trial, jobs that run on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from kedge.retraining.decision import RUN_NAME

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


def trials(sagemaker: Any, name_part: str) -> dict[str, str]:
    """The run of each endpoint on which a challenger was tried, by the endpoint's name, which its config has too."""
    ours = re.compile(rf"({RUN_NAME})-staging-\d+")
    endpoints = sagemaker.get_paginator("list_endpoints").paginate(NameContains=name_part)
    configs = sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=name_part)
    names = [item["EndpointName"] for page in endpoints for item in page["Endpoints"]]
    names += [item["EndpointConfigName"] for page in configs for item in page["EndpointConfigs"]]
    found = {name: ours.fullmatch(name) for name in names if name.startswith(name_part)}
    return {name: match[1] for name, match in found.items() if match}


def delete_trial(sagemaker: Any, name: str) -> None:
    """Delete an endpoint on trial and its config; what SageMaker still makes stays for the next sweep, and needs its config."""
    try:
        sagemaker.delete_endpoint(EndpointName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        if "in-progress" in error.response["Error"]["Message"]:
            return
    with _whatever_is_gone():
        sagemaker.delete_endpoint_config(EndpointConfigName=name)


def is_run(name: str) -> bool:
    """Whether an execution was started by Kedge: what a person's begins like may be anything."""
    return re.fullmatch(RUN_NAME, name) is not None


def delete_model(sagemaker: Any, name: str) -> None:
    """Delete a model; one that is gone is no error."""
    with _whatever_is_gone():
        sagemaker.delete_model(ModelName=name)


def stop_jobs(sagemaker: Any, run: str) -> list[str]:
    """Stop the training and transform jobs of a run that are still in progress; return their names."""
    stopped = []
    asked = {"NameContains": run, "StatusEquals": "InProgress"}
    for page in sagemaker.get_paginator("list_training_jobs").paginate(**asked):
        for name in (item["TrainingJobName"] for item in page["TrainingJobSummaries"]):
            if name.startswith(f"{run}-"):
                with _whatever_is_gone():
                    sagemaker.stop_training_job(TrainingJobName=name)
                    stopped.append(name)
    for page in sagemaker.get_paginator("list_transform_jobs").paginate(**asked):
        for name in (item["TransformJobName"] for item in page["TransformJobSummaries"]):
            if name.startswith(f"{run}-"):
                with _whatever_is_gone():
                    sagemaker.stop_transform_job(TransformJobName=name)
                    stopped.append(name)
    return stopped


def instance_seconds(sagemaker: Any, run: str) -> dict[str, float]:
    """Seconds that the ended training and transform jobs of a run were paid for, by instance type.

    Of a training job SageMaker says how long is billed (less than it ran, with spot). A transform job is counted from its start to
    its end; one that never started costs nothing.
    """
    found: dict[str, float] = {}
    for page in sagemaker.get_paginator("list_training_jobs").paginate(NameContains=run):
        for name in (item["TrainingJobName"] for item in page["TrainingJobSummaries"]):
            if name.startswith(f"{run}-"):
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


def scoring_job_arns(sagemaker: Any, run: str) -> tuple[str, ...]:
    """The transform jobs of a run, in the order of their names."""
    pages = sagemaker.get_paginator("list_transform_jobs").paginate(NameContains=run)
    jobs = (item for page in pages for item in page["TransformJobSummaries"])
    return tuple(sorted(item["TransformJobArn"] for item in jobs if item["TransformJobName"].startswith(f"{run}-")))


def _add(found: dict[str, float], resources: Mapping[str, Any], seconds: float) -> None:
    kind = resources["InstanceType"]
    found[kind] = found.get(kind, 0.0) + seconds * resources["InstanceCount"]


@contextmanager
def _whatever_is_gone() -> Iterator[None]:
    """Pass over what was deleted, or has ended, since it was listed."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
