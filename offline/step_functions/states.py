"""How an execution runs: one thread an execution and branch, one state after the other, on the account's clock.

moto runs each execution and each state on a thread of its own. Here a state runs on its execution's thread, and an
execution begins with the clock's next move.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from moto.stepfunctions.parser.api import (
    ExecutionAbortedEventDetails,
    ExecutionStartedEventDetails,
    ExecutionTimedOutEventDetails,
    HistoryEventExecutionDataDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.component.common.retry import jitter_strategy_decl, retrier_decl
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from offline.region import Region
from offline.step_functions.clock import DeadlinePassedError, StoppedError, Waits
from offline.step_functions.language import json_copy

POLL_SECONDS = 30  # between two looks at a job; the service hears of its end by an event, or looks as well


def install(region: Region, waits: Waits) -> None:
    """Have moto's interpreter wait on the account's clock."""
    for owner, name, make in (
        (ExecutionWorker, "start", _start),
        (ExecutionWorker, "stop", _stop),
        (Program, "eval", _evaluate_program),
        (ExecutionState, "_evaluate_with_timeout", _evaluate_with_timeout),
        (WaitFunction, "_wait_interval", _wait_interval),
        (retrier_decl.RetrierDecl, "_eval_body", _retry),
        (StateTaskServiceCallback, "_eval_sync", _eval_sync),
        (StateTaskServiceCallback, "_eval_wait_for_task_token", _eval_task_token),
    ):
        region.patch(owner, name, make(region, waits))
    region.patch(jitter_strategy_decl, "random", region.random)
    _hold_stop(region)


def _start(region: Region, waits: Waits) -> Callable[..., None]:
    def run(worker: Any, program: Any, role_arn: str) -> None:
        with region.as_role(role_arn):
            if worker.env.is_running():
                program.eval(worker.env)
            worker._execution_communication.terminated()

    def start(worker: Any) -> None:
        details, program = worker._evaluation_details, worker._get_evaluation_entrypoint()
        worker.env = env = worker._get_evaluation_environment()
        env.next_state_name = program.start_at.start_at_name  # from here on it runs, and can be stopped
        role_arn = details.aws_execution_details.role_arn
        started = ExecutionStartedEventDetails(
            input=to_json_str(details.execution_details.inpt),
            inputDetails=HistoryEventExecutionDataDetails(truncated=False),
            roleArn=role_arn,
        )
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.ExecutionStarted,
            event_details=EventDetails(executionStartedEventDetails=started),
            update_source_event_id=False,
        )
        region.clock.thread(run, worker, program, role_arn, name=details.execution_details.name)

    return start


def _stop(_region: Region, waits: Waits) -> Callable[..., None]:
    def stop(worker: Any, stop_date: datetime, error: str | None, cause: str | None) -> None:
        worker.env.set_stop(stop_date=stop_date, error=error, cause=cause)
        waits.wake(worker.env)

    return stop


def _hold_stop(region: Region) -> None:
    """Have an execution that was stopped stay so: the state that ran just then leads to no other, and its failure is none."""

    def unless_stopped(change: Callable[..., None]) -> Callable[..., None]:
        def changed(env: Environment, *values: Any, **named: Any) -> None:
            if not isinstance(env._program_state, ProgramStopped):
                change(env, *values, **named)

        return changed

    for name in ("set_error", "set_timed_out"):
        region.patch(Environment, name, unless_stopped(getattr(Environment, name)))
    found: Any = vars(Environment)["next_state_name"]

    def lead_on(env: Environment, name: str) -> None:
        if isinstance(env._program_state, ProgramStopped):
            raise StoppedError
        found.fset(env, name)

    region.patch(Environment, "next_state_name", property(found.fget, lead_on))


def _evaluate_program(_region: Region, waits: Waits) -> Callable[..., None]:
    def evaluate(program: Any, env: Environment) -> None:
        seconds = program.timeout_seconds.timeout_seconds if program.timeout_seconds else None
        with waits.limit(seconds) as own:
            try:
                env.next_state_name = program.start_at.start_at_name
                EvalComponent.eval(program, env)
            except DeadlinePassedError as passed:
                if passed.deadline is not own:
                    raise
                env.set_timed_out()
                waits.wake(env)
                _add_end(
                    env,
                    HistoryEventType.ExecutionTimedOut,
                    executionTimedOutEventDetails=ExecutionTimedOutEventDetails(),
                )
            except StoppedError:
                if env.is_frame():
                    raise
                stopped: Any = env.program_state()
                details = ExecutionAbortedEventDetails(error=stopped.error, cause=stopped.cause)
                _add_end(env, HistoryEventType.ExecutionAborted, executionAbortedEventDetails=details)

    return evaluate


def _add_end(env: Environment, kind: str, **details: Any) -> None:
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=kind,
        event_details=EventDetails(**details),  # type: ignore[typeddict-item]
    )


def _evaluate_with_timeout(_region: Region, waits: Waits) -> Callable[..., None]:
    def evaluate(state: Any, env: Environment) -> None:
        state.timeout.eval(env=env)
        seconds = env.stack.pop()
        frame = env.open_frame()
        frame.states.reset(input_value=env.states.get_input())
        frame.stack = json_copy(env.stack)
        try:
            with waits.limit(None if state.timeout.is_default_value() else seconds) as own:
                state._eval_execution(frame)
        except DeadlinePassedError as passed:
            if passed.deadline is not own:
                raise
            raise EvalTimeoutError from passed
        finally:
            frame.set_ended()
            env.close_frame(frame)
        env.stack.append(frame.stack.pop())
        _take_result(state, env)

    return evaluate


def _take_result(state: Any, env: Environment) -> None:
    if state.assign_decl:
        state.assign_decl.eval(env=env)
    if state.result_selector:
        state.result_selector.eval(env=env)
    if state.result_path:
        state.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _wait_interval(_region: Region, waits: Waits) -> Callable[..., None]:
    return lambda _wait, env, wait_seconds: waits.pause(env, wait_seconds)


def _retry(_region: Region, waits: Waits) -> Callable[..., None]:
    def retry(retrier: Any, env: Environment) -> None:
        retrier.error_equals.eval(env)
        if not env.stack.pop():
            env.stack.append(RetrierOutcome.Skipped)
            return
        retrier.max_attempts.eval(env=env)
        if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
            env.stack.append(RetrierOutcome.Failed)
            return
        retrier.interval_seconds.eval(env=env)
        retrier.backoff_rate.eval(env=env)
        retrier.max_delay_seconds.eval(env=env)
        retrier.jitter_strategy.eval(env=env)
        waits.pause(env, env.stack.pop())
        env.stack.append(RetrierOutcome.Executed)

    return retry


def _eval_sync(_region: Region, waits: Waits) -> Callable[..., Any]:
    def eval_sync(_task: Any, env: Environment, sync_resolver: Callable[[], Any], **_: Any) -> Any:
        try:
            while (result := sync_resolver()) is None:
                waits.pause(env, POLL_SECONDS)
        except (DeadlinePassedError, StoppedError):
            # Only a job of SageMaker's can be stopped: step_functions_jobs.RunningJob.
            if stop := getattr(sync_resolver, "stop", None):
                stop()
            raise
        return result

    return eval_sync


def _eval_task_token(_region: Region, _waits: Waits) -> Callable[..., Any]:
    def eval_task_token(task: Any, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{task.resource.resource_arn}: task tokens are not imitated")

    return eval_task_token
