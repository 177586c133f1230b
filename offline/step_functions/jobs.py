"""SageMaker jobs that a state waits for: `sagemaker:createTrainingJob.sync` and its siblings, which moto lacks.

The service creates the job with the state's parameters, hears of its end through an EventBridge rule of its own or by
looking, and gives the job's description as the result. A job that failed, or was stopped, fails the state with
States.TaskFailed and the description as the cause. A state that times out, or whose execution is stopped, has its job
stopped. Imitated: all of this, by looking. Not imitated: the managed rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

from offline.region import Region
from offline.step_functions.errors import error_named

CAUSE_LENGTH_MAX = 32_768
ENDED = {"Completed", "Failed", "Stopped"}


@dataclass(frozen=True)
class JobKind:
    """How SageMaker names the calls and fields of one kind of job."""

    api: str
    field: str

    @property
    def name_field(self) -> str:
        """The parameter that names the job."""
        return f"{self.field}Name"


KINDS = {
    "createTrainingJob": JobKind("training_job", "TrainingJob"),
    "createTransformJob": JobKind("transform_job", "TransformJob"),
    "createProcessingJob": JobKind("processing_job", "ProcessingJob"),
    "createHyperParameterTuningJob": JobKind("hyper_parameter_tuning_job", "HyperParameterTuningJob"),
}
DECLARED = {"ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"}


class JobFailedError(Exception):
    """A job ended otherwise than well."""

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(json.dumps(description)[:CAUSE_LENGTH_MAX])


@dataclass(frozen=True)
class RunningJob:
    """A job that a state waits for; calling it gives the description once the job has completed."""

    kind: JobKind
    name: str

    def __call__(self) -> dict[str, Any] | None:
        """Look at the job."""
        description = _call(self.kind, "describe", **{self.kind.name_field: self.name})
        status = description[f"{self.kind.field}Status"]
        if status not in ENDED:
            return None
        if status != "Completed":
            raise JobFailedError(description)
        return description

    def stop(self) -> None:
        """Stop the job that is no longer waited for; one that has just ended stays as it is."""
        with suppress(ClientError):
            _call(self.kind, "stop", **{self.kind.name_field: self.name})


def _call(kind: JobKind, verb: str, **parameters: Any) -> dict[str, Any]:
    client = boto_client_for(region="", service="sagemaker")
    answer = getattr(client, f"{verb}_{kind.api}")(**parameters)
    answer.pop("ResponseMetadata", None)
    plain: dict[str, Any] = json.loads(json.dumps(answer, default=_milliseconds))
    return plain


class SageMakerJobTask(StateTaskServiceCallback):
    """A Task state that creates a SageMaker job and waits for its end."""

    def __init__(self) -> None:
        # moto's own clean-up after a wait fails for a task without the token's pattern.
        super().__init__({ResourceCondition.WaitForTaskToken, ResourceCondition.Sync})

    @property
    def _kind(self) -> JobKind:
        return KINDS[self.resource.api_action]

    def _get_supported_parameters(self) -> set[str] | None:
        if self.resource.condition != ResourceCondition.Sync or self.resource.api_action not in KINDS:
            return None  # which refuses the definition: the other calls of SageMaker are aws-sdk tasks here
        shape = boto_client_for(region="", service="sagemaker").meta.service_model.operation_model(
            self.resource.api_action[0].upper() + self.resource.api_action[1:]
        )
        return set(shape.input_shape.members)

    def _eval_parameters(self, env: Environment) -> dict[str, Any]:
        self.parargs.eval(env=env)  # type: ignore[union-attr]  # a job cannot be created without parameters
        parameters: dict[str, Any] = env.stack.pop()
        if unknown := set(parameters) - (self._get_supported_parameters() or set()):
            raise ValueError(f"The fields {sorted(unknown)} are not supported by Step Functions")
        return parameters

    def _eval_service_task(
        self,
        env: Environment,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        env.stack.append(_call(self._kind, "create", **normalised_parameters))

    def _build_sync_resolver(
        self, env: Environment, normalised_parameters: dict[str, Any], **_: Any
    ) -> Callable[[], dict[str, Any] | None]:
        env.stack.pop()
        return RunningJob(self._kind, normalised_parameters[self._kind.name_field])

    def _from_error(self, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, JobFailedError):
            return self._failure(env, "States.TaskFailed", str(ex))
        if isinstance(ex, ClientError):
            return self._failure(env, *error_and_cause(ex))
        return super()._from_error(env=env, ex=ex)

    def _failure(self, env: Environment, error: str, cause: str) -> FailureEvent:
        details = TaskFailedEventDetails(
            error=error, cause=cause, resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type()
        )
        return FailureEvent(
            env=env,
            error_name=error_named(error),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )


def error_and_cause(error: ClientError) -> tuple[str, str]:
    """Name an error of a SageMaker call as the optimised integration does, with its cause."""
    code, metadata = error.response["Error"]["Code"], error.response.get("ResponseMetadata", {})
    name = f"{code}Exception" if code in DECLARED else "AmazonSageMakerException"
    facts = (
        "Service: AmazonSageMaker",
        f"Status Code: {metadata.get('HTTPStatusCode', 400)}",
        f"Error Code: {code}",
        f"Request ID: {metadata.get('RequestId', '')}",
    )
    return f"SageMaker.{name}", f"{error.response['Error']['Message']} ({'; '.join(facts)})"


def _milliseconds(value: Any) -> Any:
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else str(value)


def install(region: Region) -> None:
    """Have moto's interpreter know SageMaker's jobs."""
    service_for = state_task_factory.state_task_service_for

    def with_sagemaker(service_name: str) -> Any:
        return SageMakerJobTask() if service_name == "sagemaker" else service_for(service_name)

    region.patch(state_task_factory, "state_task_service_for", with_sagemaker)
