"""Two runs of one function that take turns at their S3 calls: a race, played in every order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 60


def interleave(
    s3: Any,
    one: Callable[[], Any],
    other: Callable[[], Any],
    first: int,
    second: int,
    *,
    between: Callable[[], Any] | None = None,
) -> int:
    """Let `one` make `first` S3 calls, then `other` make `second`, then `one` finish, then `other`; count one's calls.

    `between` happens before `other` begins.
    """
    turns = Turns(s3, {"one": one, "other": other})
    try:
        turns.take("one", first)
        if between:
            between()
        turns.take("other", second)
        turns.take("one", None)
        turns.take("other", None)
    finally:
        turns.end()
    return turns.calls["one"]


class Turns:
    """Threads that stand still before each S3 call until they are allowed it."""

    def __init__(self, s3: Any, runs: dict[str, Callable[[], Any]]) -> None:
        self.s3, self.calls, self.errors = s3, dict.fromkeys(runs, 0), []
        self.allowed = {name: threading.Semaphore(0) for name in runs}
        self.waiting = {name: threading.Event() for name in runs}
        self.threads = {
            name: threading.Thread(target=self._run, args=(name, run), name=name) for name, run in runs.items()
        }
        s3.meta.events.register_first("before-call.s3", self._stand, unique_id="turns")

    def take(self, name: str, calls: int | None) -> None:
        """Let a run make that many calls, or all that it has."""
        thread, target = self.threads[name], None if calls is None else self.calls[name] + calls
        if thread.ident is None:
            thread.start()
        while thread.is_alive():
            self.waiting[name].wait(PATIENCE_SECONDS)
            if not thread.is_alive() or (target is not None and self.calls[name] >= target):
                break
            self.waiting[name].clear()
            self.calls[name] += 1
            self.allowed[name].release()
        if self.errors:
            raise self.errors[0]

    def end(self) -> None:
        """Let everything run out."""
        self.s3.meta.events.unregister("before-call.s3", self._stand, unique_id="turns")
        for name, thread in self.threads.items():
            self.allowed[name].release(1000)
            if thread.ident is not None:
                thread.join(PATIENCE_SECONDS)

    def _stand(self, **_: Any) -> None:
        name = threading.current_thread().name
        if name in self.threads:
            self.waiting[name].set()
            self.allowed[name].acquire()

    def _run(self, name: str, run: Callable[[], Any]) -> None:
        try:
            run()
        except BaseException as error:  # it belongs to the test's own thread
            self.errors.append(error)
        finally:
            self.waiting[name].set()
