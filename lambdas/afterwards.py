"""Work that is done after a handler has decided and told: it can neither stop nor delay what it describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Work = Callable[[], object]
Waiting = dict[str, Work]
# Of the invocation that runs: in the offline account one function's call may run another function.
_waiting: ContextVar[Waiting | None] = ContextVar("waiting", default=None)


@contextmanager
def collected() -> Iterator[Waiting]:
    """What the code inside leaves for afterwards."""
    waiting: Waiting = {}
    token = _waiting.set(waiting)
    try:
        yield waiting
    finally:
        _waiting.reset(token)


def do_afterwards(name: str, work: Work) -> None:
    """Leave work for the end of the invocation; what has the same name takes its place. Outside of a function nothing waits for it."""
    waiting = _waiting.get()
    if waiting is not None:
        waiting[name] = work
