"""How an execution waits: parked on the account's clock, under the deadlines of its states and its machine.

moto waits in real time, on threads that race. Here a TimeoutSeconds is a deadline that every wait inside it respects;
what takes no time on the clock, such as a function's invocation, cannot overrun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from moto.stepfunctions.parser.asl.eval.environment import Environment

from offline.clock import Signal

if TYPE_CHECKING:
    from offline.clock import Clock

NEVER = datetime.max.replace(tzinfo=UTC)


class DeadlinePassedError(BaseException):
    """A TimeoutSeconds ran out; no handler of a state below its owner may take it for an ordinary error."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(f"timed out at {deadline.when}")
        self.deadline = deadline


class StoppedError(BaseException):
    """The execution was stopped, or the branch's siblings failed."""


@dataclass(eq=False)
class Deadline:
    """When the state or the machine that owns it has had its time."""

    when: datetime


class Waits:
    """What the executions of an account are waiting for."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._of_thread = threading.local()
        self._asleep: dict[str, list[Signal]] = {}

    @property
    def deadlines(self) -> list[Deadline]:
        """The deadlines that the running thread is under, the outermost first."""
        deadlines: list[Deadline] = self._of_thread.__dict__.setdefault("deadlines", [])
        return deadlines

    @contextmanager
    def limit(self, seconds: int | None) -> Iterator[Deadline]:
        """Put the running thread under a deadline."""
        deadline = Deadline(self.clock.now + timedelta(seconds=seconds)) if seconds else Deadline(NEVER)
        self.deadlines.append(deadline)
        try:
            yield deadline
        finally:
            self.deadlines.remove(deadline)

    def wait(self, env: Environment, until: datetime | None, ready: Callable[[], bool] = lambda: False) -> None:
        """Park until a time, or until something is ready; a deadline or a stop on the way is raised."""
        while True:
            if not env.is_running():
                raise StoppedError
            now = self.clock.now
            if ready() or (until is not None and until <= now):
                return
            for deadline in self.deadlines:
                if deadline.when <= now:
                    raise DeadlinePassedError(deadline)
            ends = [deadline.when for deadline in self.deadlines if deadline.when is not NEVER]
            self._sleep(env, min([*ends, *([until] if until else [])], default=None))

    def pause(self, env: Environment, seconds: float) -> None:
        """Park for some seconds."""
        self.wait(env, self.clock.now + timedelta(seconds=seconds))

    def wake(self, env: Environment) -> None:
        """Have every thread of an execution look again whether it still has something to wait for."""
        for signal in self._asleep.get(_execution(env), []):
            # One after the other, each until it rests: woken together they would race.
            self.clock.call_at(self.clock.now, lambda signal=signal: self.clock.set(signal), "look again")  # type: ignore[misc]

    def _sleep(self, env: Environment, until: datetime | None) -> None:
        signal, asleep = Signal(), self._asleep.setdefault(_execution(env), [])
        label = f"wake {_execution(env)}"
        timer = self.clock.call_at(until, lambda: self.clock.set(signal), label) if until else None
        asleep.append(signal)
        try:
            self.clock.wait(signal)
        finally:
            asleep.remove(signal)
            if timer:
                self.clock.cancel(timer)


def _execution(env: Environment) -> str:
    return str(env.states.context_object.context_object_data["Execution"]["Id"])
