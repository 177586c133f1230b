"""An iterator whose next item is made while the one before is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(items: Generator[T, None, None]) -> Iterator[T]:
    """The same items in the same order, one of them made ahead by a thread; an error comes where its item would have.

    `items` is closed when the caller stops early, after the thread has ended.

    >>> list(ahead(number for number in (1, 2, 3)))
    [1, 2, 3]
    """
    end: Any = object()
    with closing(items), ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item
