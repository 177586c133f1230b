"""How an execution branches: a Parallel's branches on threads that wake one at a time, a Map's items in their order.

The service runs branches at once, ends the others when one has failed, and stops their jobs; a Map runs as many items
at once as it may. Imitated: all but that, for the items of a Map follow each other here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (
    InlineIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branches_decl import BranchesDecl
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError

from offline.region import Region
from offline.step_functions.clock import Deadline, DeadlinePassedError, StoppedError, Waits
from offline.step_functions.errors import error_named


def install(region: Region, waits: Waits) -> None:
    """Have moto's interpreter branch on the account's clock."""
    region.patch(BranchesDecl, "_eval_body", _branch(region, waits))
    region.patch(InlineIterationComponent, "_launch_worker", _launch_worker)


def _launch_worker(component: Any, env: Environment, eval_input: Any, job_pool: Any) -> Any:
    # The items of a Map follow each other: the first worker takes them all.
    worker = component._create_worker(env=env, eval_input=eval_input, job_pool=job_pool)
    worker.eval()
    return worker


def _branch(region: Region, waits: Waits) -> Callable[..., None]:
    def run(program: Any, frame: Environment, deadlines: list[Deadline], ended: list[Environment]) -> None:
        waits.deadlines.extend(deadlines)
        try:
            program.eval(frame)
        except (DeadlinePassedError, StoppedError):
            frame.set_stop(stop_date=region.clock.now, cause=None, error=None)  # its parent meets the same end
        ended.append(frame)
        waits.wake(frame)

    def branch(branches: Any, env: Environment) -> None:
        given, ended, frames = env.stack.pop(), [], []
        for number, program in enumerate(branches.programs):
            frame = env.open_inner_frame()
            frame.states.reset(input_value=given)
            frames.append(frame)
            name = f"{threading.current_thread().name}/{number}"
            region.clock.thread(run, program, frame, list(waits.deadlines), ended, name=name)
        try:
            waits.wait(env, None, lambda: len(ended) == len(frames) or any(map(_failed, ended)))
        finally:
            for frame in frames:
                if frame.is_running():
                    frame.set_stop(stop_date=region.clock.now, cause=None, error=None)
                env.close_frame(frame)
            waits.wake(env)
        if failed := next(filter(_failed, ended), None):
            raise _branch_failure(env, failed)
        env.stack.append([frame.states.get_input() for frame in frames])

    return branch


def _failed(env: Environment) -> bool:
    return isinstance(env.program_state(), ProgramError)


def _branch_failure(env: Environment, failed: Environment) -> FailureEventException:
    state: Any = failed.program_state()
    details = {key: value for key, value in (state.error or {}).items() if key in ("error", "cause")}
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=error_named(details.get("error")),
            event_type=HistoryEventType.ExecutionFailed,
            event_details=EventDetails(executionFailedEventDetails=details),  # type: ignore[typeddict-item]
        )
    )
