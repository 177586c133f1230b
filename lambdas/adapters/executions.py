"""Executions of the state machines: started once per name, and looked up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")
# As long as Step Functions remembers an execution that has ended.
REMEMBERED = timedelta(days=90)


def execution_arn(machine_arn: str, name: str) -> str:
    """The ARN that an execution of this name has."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"


def machine_name(machine_arn: str) -> str:
    """The name in a machine's ARN."""
    return machine_arn.rpartition(":")[2]


def machine_and_run(arn: str) -> tuple[str, str]:
    """The machine's and the execution's names in an execution's ARN."""
    *_, machine, run = arn.split(":")
    return machine, run


def start(stepfunctions: Any, machine_arn: str, *, name: str, request: Mapping[str, Any]) -> bool:
    """Start an execution; False where one of this name exists already."""
    try:
        stepfunctions.start_execution(stateMachineArn=machine_arn, name=name, input=json.dumps(request, default=str))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
            return False
        raise
    return True


def status(stepfunctions: Any, arn: str) -> str | None:
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None where there is no such execution."""
    try:
        answer: str = stepfunctions.describe_execution(executionArn=arn)["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return None
        raise
    return answer
