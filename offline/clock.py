"""The account's one clock: every timestamp, wait, schedule and alarm period moves with it.

In AWS time passes by itself and everything runs at once. Here time stands still until `advance_to`, which fires what
is due in the order (time, order of asking), and lets every background thread run until it waits again or ends before
the next thing happens: two runs of the same story are the same story.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import time_machine

SETTLE_LIMIT_SECONDS = 300.0  # of real time: a background thread that neither waits on the clock nor ends is a defect


class ClockError(Exception):
    """The clock was asked for something that would tangle the order of events."""


@dataclass(order=True)
class Timer:
    """Something that will happen at a time."""

    when: datetime
    order: int
    action: Callable[[], object] = field(compare=False)
    label: str = field(compare=False, default="")
    cancelled: bool = field(compare=False, default=False)


class Signal:
    """A flag that background threads wait for; raising it makes them count as running at once."""

    def __init__(self) -> None:
        self.raised = False
        self.waiting: list[threading.Event] = []


class Clock:
    """Virtual time, the queue of what is due, and the background threads that wait on it."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._state = threading.Condition()
        self._threads: dict[threading.Thread, Signal] = {}
        self._running = 0
        self._failures: list[BaseException] = []
        self._driver = threading.RLock()
        self._advancing = False
        self._travel: Any = None
        self._traveller: Any = None

    @property
    def now(self) -> datetime:
        """The account's time, in UTC."""
        return self._now

    def start(self) -> None:
        """Make time.time and datetime.now tell this clock's time (time.monotonic stays real)."""
        self._travel = time_machine.travel(self._now, tick=False)
        self._traveller = self._travel.start()

    def stop(self) -> None:
        """Give the process its real time back."""
        if self._travel is not None:
            self._travel.stop()
            self._travel = self._traveller = None

    def call_at(self, when: datetime, action: Callable[[], object], label: str = "") -> Timer:
        """Have `action` called when the clock gets to `when`; a time already past means as soon as possible."""
        with self._state:
            timer = Timer(max(when.astimezone(UTC), self._now), next(self._order), action, label)
            heapq.heappush(self._timers, timer)
            return timer

    def cancel(self, timer: Timer) -> None:
        """Forget a timer; one that has fired is none the worse for it."""
        timer.cancelled = True

    def due(self) -> datetime | None:
        """When the next timer fires, or None if nothing is planned."""
        with self._state:
            while self._timers and self._timers[0].cancelled:
                heapq.heappop(self._timers)
            return self._timers[0].when if self._timers else None

    def advance_to(self, when: datetime) -> None:
        """Move time forward to `when`, firing in order everything that falls due on the way, the end included."""
        target = when.astimezone(UTC)
        if threading.current_thread() in self._threads:
            raise ClockError("a background thread may wait on the clock but not move it")
        with self._driver:
            if self._advancing:
                raise ClockError("advance_to was called by something that advance_to had called")
            if target < self._now:
                raise ClockError(f"the clock shows {self._now:%Y-%m-%dT%H:%M:%SZ} and never goes back to {when}")
            self._advancing = True
            try:
                self._fire_until(target)
            finally:
                self._advancing = False

    def _fire_until(self, target: datetime) -> None:
        self.settle()
        while (timer := self._next_due(target)) is not None:
            self._move(timer.when)
            timer.action()
            self.settle()
        self._move(target)

    def _next_due(self, target: datetime) -> Timer | None:
        due = self.due()
        if due is None or due > target:
            return None
        with self._state:
            return heapq.heappop(self._timers)

    def _move(self, when: datetime) -> None:
        if when != self._now:
            self._now = when
            if self._traveller is not None:
                self._traveller.move_to(when)

    def thread(self, target: Callable[..., object], *args: Any, name: str | None = None) -> threading.Thread:
        """Run `target` on a background thread, from the clock's next move on (never inside the caller's own step)."""

        def run() -> None:
            try:
                self.park(self._now)
                target(*args)
            except BaseException as error:  # told by the next settle: a thread must not fail unheard
                with self._state:
                    self._failures.append(error)
            finally:
                self.unregister()

        thread = threading.Thread(target=run, name=name, daemon=True)
        self.register(thread)
        thread.start()
        return thread

    def register(self, thread: threading.Thread) -> None:
        """Count a thread, about to start, among those that must come to rest before time moves."""
        with self._state:
            self._threads[thread] = Signal()
            self._running += 1

    def unregister(self) -> None:
        """Stop counting the calling thread, which is ending, and wake whoever joined it."""
        with self._state:
            ended = self._threads.pop(threading.current_thread())
            self._raise(ended)
            self._running -= 1
            self._state.notify_all()

    def park(self, until: datetime) -> None:
        """Block the calling background thread until the clock has got to `until`."""
        signal = Signal()
        self.call_at(until, lambda: self.set(signal), f"wake {threading.current_thread().name}")
        self.wait(signal)

    def join(self, thread: threading.Thread) -> None:
        """Block the calling background thread until another registered thread has ended."""
        signal = self._threads.get(thread)
        if signal is not None:
            self.wait(signal)

    def set(self, signal: Signal) -> None:
        """Raise a signal: everyone waiting for it goes on."""
        with self._state:
            self._raise(signal)

    def wait(self, signal: Signal) -> None:
        """Block the calling background thread until a signal is raised."""
        if threading.current_thread() not in self._threads:
            raise ClockError("only a thread registered with the clock may wait on it")
        wake = threading.Event()
        with self._state:
            if signal.raised:
                return
            signal.waiting.append(wake)
            self._running -= 1
            self._state.notify_all()
        wake.wait()

    def settle(self) -> None:
        """Wait, in real time, until every registered thread waits on the clock or has ended; tell their failures."""
        with self._state:
            if not self._state.wait_for(lambda: self._running == 0, SETTLE_LIMIT_SECONDS):
                names = ", ".join(thread.name for thread in self._threads)
                raise ClockError(f"after {SETTLE_LIMIT_SECONDS:.0f} s of real time still running, of: {names}")
            failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def _raise(self, signal: Signal) -> None:
        signal.raised = True
        self._running += len(signal.waiting)
        for wake in signal.waiting:
            wake.set()
        signal.waiting.clear()
