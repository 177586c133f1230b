"""Step Functions: moto's interpreter, on the account's clock, as the machine's role, with the service's own limits.

The real service runs each Standard execution durably for up to a year, one state after the other, and tells its end
as an event and as metrics. Imitated, for JSONPath definitions: waits, timeouts, retries (step_functions_states),
`.sync` jobs of SageMaker (step_functions_jobs), error names (step_functions_errors); names and their 90 days, input
and output of at most 262,144 bytes; 25,000 events in a history; "Step
Functions Execution Status Change"; the metrics of AWS/States; the role of the machine for every call that it makes.
Not imitated: Express workflows, task tokens, activities, redrive, logs.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_api._internal import mock_random
from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidName, ValidationException
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_dynamodb,
    state_task_service_events,
    state_task_service_sfn,
    state_task_service_sns,
    state_task_service_sqs,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from offline.delivery.events import EventBus
from offline.metrics.cloudwatch import Metrics
from offline.region import Region
from offline.step_functions import branches as step_functions_branches
from offline.step_functions import errors as step_functions_errors
from offline.step_functions import jobs as step_functions_jobs
from offline.step_functions import language as step_functions_language
from offline.step_functions import states as step_functions_states
from offline.step_functions.clock import Waits

DATA_BYTES_MAX = 262_144
EVENT_DATA_BYTES_MAX = 248 * 1024  # an event leaves out a longer input or output
HISTORY_EVENTS_MAX = 25_000  # a hard quota: the last event must end the execution
ENDINGS = {
    HistoryEventType.ExecutionSucceeded,
    HistoryEventType.ExecutionFailed,
    HistoryEventType.ExecutionTimedOut,
    HistoryEventType.ExecutionAborted,
}
NAME_LENGTH_MAX = 80
NAME_KEPT = timedelta(days=90)
ILLEGAL_IN_NAMES = re.compile(r'[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]')
CALLERS = (
    lambda_eval_utils,
    state_task_service_aws_sdk,
    state_task_service_dynamodb,
    state_task_service_events,
    state_task_service_sfn,
    state_task_service_sns,
    state_task_service_sqs,
    step_functions_jobs,
)
METRICS = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


def install(region: Region, bus: EventBus, metrics: Metrics) -> None:
    """Have moto's executions follow the account's clock, roles and limits."""
    step_functions_errors.install(region)
    step_functions_language.install(region)
    step_functions_jobs.install(region)
    waits = Waits(region.clock)
    step_functions_states.install(region, waits)
    step_functions_branches.install(region, waits)
    teller = Teller(bus, metrics)
    _limit_executions(region, teller)
    _limit_histories(region)
    _tell_executions(region, teller)
    clients = Clients(region.name)
    for module in CALLERS:
        region.patch(module, "boto_client_for", clients.find)


class Clients:
    """The machines' clients; each calls as the role that the running thread has taken, once and without retries."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._made: dict[str, Any] = {}

    def find(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """Return the client of a service, made when it is first asked for."""
        if service not in self._made:
            once = Config(retries={"max_attempts": 0, "total_max_attempts": 1})
            self._made[service] = boto3.client(service, region_name=region or self._region, config=once)  # type: ignore[call-overload]
        return self._made[service]


def _limit_executions(region: Region, teller: Teller) -> None:
    start = StepFunctionsParserBackend.start_execution

    def start_execution(
        backend: Any,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: Any = None,
    ) -> Any:
        name = name or str(mock_random.uuid4())
        _check_name(name)
        _check_input(execution_input or "{}")
        machine = backend.describe_state_machine(state_machine_arn)
        machine.executions[:] = [kept for kept in machine.executions if not _forgotten(kept, region.clock.now)]
        running = [known for known in machine.executions if known.name == name]
        execution = start(backend, state_machine_arn, name, execution_input or "{}", trace_header)
        if execution not in running:
            teller.tell(execution)
        return execution

    region.patch(StepFunctionsParserBackend, "start_execution", start_execution)


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_LENGTH_MAX or ILLEGAL_IN_NAMES.search(name):
        raise InvalidName(f"Invalid Name: '{name}'")


def _check_input(text: str) -> None:
    if len(text.encode()) > DATA_BYTES_MAX:
        raise ValidationException(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {DATA_BYTES_MAX}"
        )
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error


def _forgotten(execution: Execution, now: datetime) -> bool:
    return execution.stop_date is not None and execution.stop_date + NAME_KEPT < now


class HistoryFullError(Exception):
    """An execution's history has room for its end only, so that every further event of any state fails."""

    def __init__(self) -> None:
        super().__init__(f"The execution reached the maximum number of history events ({HISTORY_EVENTS_MAX}).")


def _limit_histories(region: Region) -> None:
    add = EventManager.add_event

    def add_event(manager: Any, context: Any, event_type: Any, *details: Any, **more: Any) -> Any:
        # No Catch helps: it would have to write an event as well.
        if len(manager._history_event_list) >= HISTORY_EVENTS_MAX - 1 and event_type not in ENDINGS:
            raise HistoryFullError
        return add(manager, context, event_type, *details, **more)

    region.patch(EventManager, "add_event", add_event)


def _tell_executions(region: Region, teller: Teller) -> None:
    terminated = BaseExecutionWorkerCommunication.terminated

    def told(communication: Any) -> None:
        terminated(communication)
        teller.tell(communication.execution)

    region.patch(BaseExecutionWorkerCommunication, "terminated", told)


class Teller:
    """Tells what becomes of executions, as events and as metrics."""

    def __init__(self, bus: EventBus, metrics: Metrics) -> None:
        self.bus, self.metrics = bus, metrics

    def tell(self, execution: Execution) -> None:
        """Publish an execution's status, and count it."""
        status, dimensions = execution.status, {"StateMachineArn": execution.state_machine.arn}
        detail_type = "Step Functions Execution Status Change"
        self.bus.publish("aws.states", detail_type, status_detail(execution), [execution.exec_arn])
        if status not in METRICS:
            self.metrics.put("AWS/States", "ExecutionsStarted", 1, dimensions, "Count")
            return
        for ending, metric in METRICS.items():
            # The service reports a zero for the endings that did not happen, which alarms need.
            self.metrics.put("AWS/States", metric, int(ending == status), dimensions, "Count")
        lasted = (execution.stop_date - execution.start_date).total_seconds() * 1000
        self.metrics.put("AWS/States", "ExecutionTime", lasted, dimensions, "Milliseconds")


def status_detail(execution: Execution) -> dict[str, Any]:
    """Return the `detail` of a status change event."""
    output = json.dumps(execution.output) if execution.status == "SUCCEEDED" else None
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": execution.execution_input,
        "output": output,
        "error": execution.error,
        "cause": execution.cause,
    }
    for name in ("input", "output"):
        fits = len((detail[name] or "").encode()) <= EVENT_DATA_BYTES_MAX
        detail[f"{name}Details"] = {"included": fits} if detail[name] is not None else None
        if not fits:
            detail[name] = None
    return detail


def _milliseconds(when: datetime | None) -> int | None:
    return int(when.timestamp() * 1000) if when else None
