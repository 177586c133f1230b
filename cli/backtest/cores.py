"""Work on many windows by all cores, a few windows ahead of the one that is waited for."""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from cli.lean_start import import_lean

T = TypeVar("T")
# Below this many pieces of work, processes cost more than they bring: each imports for most of a second.
WORTH_PROCESSES = 100
_AHEAD = 4
_work: Callable[[Any], Any] | None = None


def by_all_cores(work: Callable[[Any], T], items: Iterable[Any], *, pieces: int) -> Iterator[T]:
    """The work's result of each item, in their order; the items are made as they are needed.

    Parameters
    ----------
    work : callable
        Sent once to each process, so it and what it holds must be picklable.
    pieces : int
        About how many pieces of work there are.
    """
    cores = os.cpu_count() or 1
    if pieces < WORTH_PROCESSES or cores == 1:
        yield from map(work, items)
        return
    # Spawned, because a fork beside the threads of the reader may wait for a lock for ever.
    with ProcessPoolExecutor(cores, get_context("spawn"), _remember, (pickle.dumps(work),)) as pool:
        waiting: deque[Future[T]] = deque()
        for item in items:
            waiting.append(pool.submit(_do, item))
            if len(waiting) > _AHEAD * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _remember(work: bytes) -> None:
    global _work  # a process of the pool has one work for its whole life
    # Before the work brings numpy, Arrow and scipy with it.
    import_lean()
    _work = pickle.loads(work)  # noqa: S301  # our own


def _do(item: Any) -> Any:
    if _work is None:
        raise RuntimeError("a process of the pool was asked before it was told what to do")
    return _work(item)
