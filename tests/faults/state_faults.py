"""Faults of a state machine's states: enumerated from the deployed definition, done where moto's interpreter runs a task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from offline.account import Account
from offline.step_functions.errors import error_named

UNNAMED, TIMEOUT, STOPPED = "NobodyNamedThisError", "States.Timeout", "stopped by a person"
LONG = 10**8  # seconds that no state may take
ALWAYS = 10**6
TOO_LARGE = 300_000  # bytes; a state's result may have 262,144
# What a function must never answer, and would if it had a defect.
MALFORMED: tuple[Any, ...] = ({}, None, [], "text", 7, {"verdict": "NOBODY_KNOWS"}, "x" * TOO_LARGE)


@dataclass(frozen=True)
class StateFault:
    """What goes wrong in a state, whether its work is done by then, and how often."""

    machine: str
    state: str
    error: str = ""
    after: bool = False
    times: int = ALWAYS
    answer: str | None = None  # JSON, in place of what the function answered
    without: str | None = None  # a field that its answer lacks

    def __str__(self) -> str:
        if self.answer is not None or self.without is not None:
            what = f"answers without {self.without}" if self.without is not None else f"answers {str(self.answer)[:40]}"
        else:
            what = f"{self.error} {'after' if self.after else 'before'} its effect"
        return f"{self.machine}: {self.state}: {what}{', once' if self.times == 1 else ''}"


@dataclass
class StateFaults:
    """The interpreter's tasks, with what is to go wrong and what has."""

    account: Account
    planned: list[StateFault] = field(default_factory=list)
    fired: dict[StateFault, int] = field(default_factory=dict)
    answers: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        execute, conclude = StateTaskService._eval_execution, StateTaskService._after_eval_execution
        self.account.patch(StateTaskService, "_eval_execution", lambda task, env: self._execute(execute, task, env))
        self.account.patch(
            StateTaskService,
            "_after_eval_execution",
            lambda task, env, **more: self._conclude(conclude, task, env, **more),
        )

    def _execute(self, execute: Any, task: Any, env: Environment) -> None:
        fault = self._due(task, env, answers=False)
        if fault is None or fault.after:
            execute(task, env)
        if fault is not None:
            self._fail(fault, env)

    def _conclude(self, conclude: Any, task: Any, env: Environment, **more: Any) -> None:
        found = env.stack[-1]
        if task.resource.service_name == "lambda":
            payload = found.get("Payload")
            if isinstance(payload, dict):
                self.answers.setdefault((_machine(env), task.name), set()).update(payload)
            if (fault := self._due(task, env, answers=True)) is not None:
                env.stack[-1] = {**found, "Payload": _spoilt(fault, payload)}
        conclude(task, env, **more)

    def _due(self, task: Any, env: Environment, *, answers: bool) -> StateFault | None:
        for fault in self.planned:
            about_answer = fault.answer is not None or fault.without is not None
            here = (fault.machine, fault.state) == (_machine(env), task.name) and about_answer == answers
            if here and self.fired.get(fault, 0) < fault.times:
                self.fired[fault] = self.fired.get(fault, 0) + 1
                return fault
        return None

    def _fail(self, fault: StateFault, env: Environment) -> None:
        if fault.error == TIMEOUT:
            WaitFunction._wait_interval(None, env, LONG)  # type: ignore[arg-type]  # the account's own; the deadline ends it
        if fault.error == STOPPED:
            execution = env.states.context_object.context_object_data["Execution"]["Id"]
            self.account.client("stepfunctions").stop_execution(executionArn=execution)
            WaitFunction._wait_interval(None, env, LONG)  # type: ignore[arg-type]
        details = TaskFailedEventDetails(error=fault.error, cause="a fault of the walk", resource="", resourceType="")
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=error_named(fault.error),
                event_type=HistoryEventType.TaskFailed,
                event_details=EventDetails(taskFailedEventDetails=details),
            )
        )


def _machine(env: Environment) -> str:
    return str(env.states.context_object.context_object_data["StateMachine"]["Name"])


def _spoilt(fault: StateFault, payload: Any) -> Any:
    if fault.answer is not None:
        return json.loads(fault.answer)
    return (
        {name: value for name, value in payload.items() if name != fault.without}
        if isinstance(payload, dict)
        else payload
    )


# What there is to walk ------------------------------------------------------------------------------------------


def states_of(account: Account, machine: str) -> dict[str, dict[str, Any]]:
    """Every state of a deployed machine by name, those of its maps and branches included."""
    client = account.client("stepfunctions")
    arn = next(m["stateMachineArn"] for m in client.list_state_machines()["stateMachines"] if m["name"] == machine)
    return dict(_states(json.loads(client.describe_state_machine(stateMachineArn=arn)["definition"])))


def _states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in definition["States"].items():
        yield name, state
        for inner in (state.get("ItemProcessor"), *state.get("Branches", ())):
            if inner is not None:
                yield from _states(inner)


def faults_of(machine: str, name: str, state: dict[str, Any], answered: set[str]) -> Iterator[StateFault]:
    """Everything that can go wrong in one state; `answered` are the fields of what its function answers."""
    if state["Type"] != "Task":
        return
    rules = [
        [error for error in rule["ErrorEquals"] if not error.startswith("States.")]
        for rule in (*state.get("Retry", ()), *state.get("Catch", ()))
    ]
    for error in dict.fromkeys(error for rule in rules for error in rule[1:]):
        # Its rule's first error is walked whole, and the interpreter does the same with it.
        yield StateFault(machine, name, error)
    leading = dict.fromkeys([*(rule[0] for rule in rules if rule), UNNAMED, TIMEOUT])
    for error, after, times in product(leading, (False, True), (1, ALWAYS)):
        yield StateFault(machine, name, error, after=after, times=times)
    for after in (False, True):
        yield StateFault(machine, name, STOPPED, after=after, times=1)
    if state["Resource"].endswith("lambda:invoke"):
        for answer in MALFORMED:
            yield StateFault(machine, name, answer=json.dumps(answer))
        for without in sorted(answered):
            yield StateFault(machine, name, without=without)
