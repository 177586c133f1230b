"""The names that Step Functions gives to errors, where moto's interpreter has none, or others.

A machine's Retry and Catch match names, so a wrong name offline is a retry that never happens in AWS. The service
names an aws-sdk error after the Java SDK's exception; `States.ALL` does not catch what ends an execution for good.
"""

from __future__ import annotations

from typing import Any

from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_aws_sdk
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.fail import state_fail

from offline.region import Region

# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
UNCATCHABLE = {"States.Runtime", "States.DataLimitExceeded"}
SERVICES = {
    "cloudwatch": "CloudWatch",
    "dynamodb": "DynamoDb",
    "lambda": "Lambda",
    "s3": "S3",
    "sagemaker": "SageMaker",
    "sfn": "Sfn",
    "sns": "Sns",
    "sqs": "Sqs",
}


def install(region: Region) -> None:
    """Have moto's interpreter name and match errors as the service does."""
    region.patch(ErrorEqualsDecl, "_eval_body", _match)
    region.patch(state_task_service_aws_sdk, "_SERVICE_ERROR_NAMES", SERVICES)
    region.patch(StateTaskServiceAwsSdk, "_normalise_exception_name", staticmethod(sdk_error_name))
    for module in (iteration_worker, state_fail):
        region.patch(module, "CustomErrorName", error_named)
    for shout in ("_log_failure_event_exception", "_log_exception"):
        # A failing state is in the execution's history; moto would write its whole syntax tree into the log.
        region.patch(EvalComponent, shout, lambda *_, **__: None)


def error_named(error_name: str | None) -> ErrorName | None:
    """Return an error's name as moto's interpreter holds it: those of the language apart from all others.

    >>> type(error_named("States.Timeout")).__name__, type(error_named("EndpointBusyError")).__name__
    ('StatesErrorName', 'CustomErrorName')
    """
    if error_name is None:
        return None
    if error_name.startswith("States."):
        return StatesErrorName(StatesErrorNameType.from_name(error_name))
    return CustomErrorName(error_name)


def sdk_error_name(service: str, error: Any) -> str:
    """Name an aws-sdk error: the exception that the service's model declares, or the service's general one.

    >>> from botocore.exceptions import ClientError
    >>> sdk_error_name("SageMaker", ClientError({"Error": {"Code": "ThrottlingException"}}, "CreateModel"))
    'SageMaker.SageMakerException'
    """
    declared = type(error).__name__
    if declared == "ClientError":
        return f"{service}.{service}Exception"
    # Java calls a declared fault or error an exception as well.
    stem = declared.removesuffix("Exception").removesuffix("Fault")
    return f"{service}.{stem}Exception"


def _match(declared: Any, env: Any) -> None:
    error, names = env.stack.pop(), {name.error_name for name in declared.error_names}
    found = error.error_name if error else None
    by_name = found in names
    everything = "States.ALL" in names and found not in UNCATCHABLE
    any_task = "States.TaskFailed" in names and found not in UNCATCHABLE | {"States.Timeout"}
    env.stack.append(by_name or everything or any_task)
