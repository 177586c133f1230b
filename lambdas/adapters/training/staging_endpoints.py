"""A challenger's temporary endpoint in SageMaker's words: what the machine asks for, how it stands, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from kedge.config.model import ModelConfig
from kedge.staging.requests import ReplayRequest
from lambdas.adapters.release.endpoints import description_of
from lambdas.adapters.training.run_leftovers import TRIAL
from lambdas.adapters.training.training_jobs import TrainingWorkshop, tags_of

# SageMaker waits 60 seconds for a container.
ANSWER_SECONDS = 65
# Failures of the model, or of the one instance that serves it. All others say nothing of the model.
_OF_THE_MODEL = (
    "ModelError",
    "ModelNotReadyException",
    "InternalDependencyException",
    "InternalFailure",
    "ServiceUnavailable",
)


def staging_name(run: str) -> str:
    """Name a run's endpoint on trial and its config: the machine may make and delete no others.

    >>> staging_name("hotel-drift-1-f2a44be8")
    'hotel-drift-1-f2a44be8-staging-0'
    """
    return f"{run}{TRIAL}0"


def staging_request(config: ModelConfig, workshop: TrainingWorkshop, *, run: str, instances: int) -> dict[str, Any]:
    """What the machine needs for a trial: an endpoint as a release makes it, but of one instance and without capture.

    Nothing that is replayed may come among the captured requests of the model, so there is no DataCaptureConfig.

    Parameters
    ----------
    instances : int
        How many serve the champion now.
    """
    if config.staging is None:
        return {}
    variant = {
        "VariantName": config.endpoint.variant,
        "InstanceType": config.endpoint.instance_type,
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    return {
        "name": staging_name(run),
        "variant": variant,
        "kms_key_id": workshop.kms_key_id,
        "tags": tags_of(workshop),
        "instances": instances,
        "policy": config.staging.model_dump(mode="json"),
    }


@dataclass(frozen=True)
class StagingState:
    """How an endpoint on trial stands."""

    status: str
    reason: str
    made_at: datetime


def state_of(sagemaker: Any, name: str) -> StagingState | None:
    """How an endpoint on trial stands; None where there is none."""
    found = description_of(sagemaker, name)
    if found is None:
        return None
    return StagingState(found["EndpointStatus"], found.get("FailureReason", ""), found["CreationTime"])


@dataclass(frozen=True)
class StagingAnswer:
    """What an endpoint answered; `failure` says why it did not, without any value of the request or the answer."""

    body: bytes = b""
    content_type: str = ""
    failure: str = ""


@dataclass(frozen=True)
class StagingClient:
    """Sends requests to one endpoint, each once: a second attempt would hide a failure, and count as a slow answer."""

    runtime: Any
    endpoint: str
    accept: str

    @classmethod
    def of(cls, endpoint: str, *, accept: str, connections: int) -> StagingClient:
        """Open one that can wait for this many answers at a time."""
        config = Config(
            retries={"total_max_attempts": 1}, read_timeout=ANSWER_SECONDS, max_pool_connections=connections
        )
        return cls(boto3.client("sagemaker-runtime", config=config), endpoint, accept)

    def send(self, request: ReplayRequest) -> StagingAnswer:
        """Send a request; what SageMaker itself refuses is raised."""
        more = {"CustomAttributes": request.custom_attributes} if request.custom_attributes else {}
        try:
            answer = self.runtime.invoke_endpoint(
                EndpointName=self.endpoint,
                Body=request.body,
                ContentType=request.content_type,
                Accept=self.accept,
                **more,
            )
            return StagingAnswer(answer["Body"].read(), answer.get("ContentType", ""))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _OF_THE_MODEL:
                raise
            status = error.response.get("OriginalStatusCode")
            return StagingAnswer(failure=f"HTTP {status}" if status else code)
        except HTTPClientError as error:
            return StagingAnswer(failure=type(error).__name__)
