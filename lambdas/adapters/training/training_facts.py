"""How a model was made: its training job, described by SageMaker."""

from __future__ import annotations

import json
from typing import Any

from kedge.retraining.lineage import TrainedBy
from lambdas.adapters.training.training_jobs import SOURCE_CHANNEL


def load(sagemaker: Any, job: str) -> TrainedBy:
    """Describe the job; hyperparameters as the YAML says them, without those that are script mode's."""
    found = sagemaker.describe_training_job(TrainingJobName=job)
    resources = found["ResourceConfig"]
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in found.get("InputDataConfig", [])
    }
    return TrainedBy(
        job_arn=found["TrainingJobArn"],
        image=found["AlgorithmSpecification"].get("TrainingImage", ""),
        instance_type=resources["InstanceType"],
        instance_count=resources["InstanceCount"],
        spot=bool(found.get("EnableManagedSpotTraining")),
        source_uri=channels.get(SOURCE_CHANNEL, ""),
        hyperparameters={
            name: _plain(value)
            for name, value in sorted((found.get("HyperParameters") or {}).items())
            if not name.startswith(("sagemaker_", "_tuning"))
        },
        tuning_job_arn=found.get("TuningJobArn", ""),
        metrics={each["MetricName"]: each["Value"] for each in found.get("FinalMetricDataList") or []},
    )


def _plain(value: str) -> str:
    try:
        return str(json.loads(value))
    except ValueError:
        return value
