"""A SageMaker pipeline as the trainer: the request that starts it, and what its execution made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kedge.config.model import ModelConfig
from kedge.errors import UnfinishedPipelineError
from kedge.instants import to_text


def start_request(config: ModelConfig, *, run: str, facts: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Ask for an execution; `deadline` is when the machine stops it.

    Parameters
    ----------
    facts : mapping
        What `training.pipeline_parameters` may name.
    """
    training = config.training
    named = {name: facts[fact] for name, fact in training.pipeline_parameters.items()}
    fixed = {name: str(value) for name, value in training.hyperparameters.items()}
    return {
        "PipelineName": training.pipeline,
        "PipelineParameters": [{"Name": name, "Value": value} for name, value in sorted({**fixed, **named}.items())],
        "PipelineExecutionDisplayName": run,
        "deadline": to_text(now + timedelta(seconds=training.max_runtime_seconds)),
    }


def made_by(sagemaker: Any, execution_arn: str, *, group: str) -> tuple[str | None, str | None]:
    """The package that an execution registered in the group, or else the name of its last training job.

    Raises
    ------
    UnfinishedPipelineError
        It did not succeed, registered several packages, or neither registered nor trained anything.
    """
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution_arn)
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution_arn, SortOrder="Ascending"
    )
    steps = [step for page in pages for step in page["PipelineExecutionSteps"]]
    status = described["PipelineExecutionStatus"]
    if status != "Succeeded":
        failed = [f"step {step['StepName']}: {step['FailureReason']}" for step in steps if step.get("FailureReason")]
        reasons = failed or [described["FailureReason"]] if failed or described.get("FailureReason") else []
        raise UnfinishedPipelineError(pipeline=execution_arn, status=status, reasons=reasons)
    registered = [arn for step in steps if (arn := _arn(step, "RegisterModel")) and f"/{group.lower()}/" in arn]
    trained = [arn for step in steps if (arn := _arn(step, "TrainingJob"))]
    if len(registered) == 1:
        return registered[0], None
    if registered or not trained:
        found = f"it registered {len(registered)} packages in {group} and trained {len(trained)} models: one of either is needed"
        raise UnfinishedPipelineError(pipeline=execution_arn, status=status, reasons=[found])
    return None, trained[-1].rpartition("/")[2]


def artefact_of(sagemaker: Any, job: str) -> str:
    """Where a training job has written its model."""
    uri: str = sagemaker.describe_training_job(TrainingJobName=job)["ModelArtifacts"]["S3ModelArtifacts"]
    return uri


def stop(sagemaker: Any, pipeline: str, run: str) -> list[str]:
    """Stop what a run has started and left: its executions of the pipeline that still run; return their ARNs."""
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline)
    found = [each for page in pages for each in page["PipelineExecutionSummaries"]]
    running = [
        each["PipelineExecutionArn"]
        for each in found
        if each.get("PipelineExecutionDisplayName") == run and each["PipelineExecutionStatus"] == "Executing"
    ]
    for arn in running:
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    return running


def _arn(step: Mapping[str, Any], kind: str) -> str | None:
    return ((step.get("Metadata") or {}).get(kind) or {}).get("Arn")
