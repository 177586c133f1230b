"""Which role the running thread acts as: what AWS learns from credentials, and here is an attribute of the thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

ADMINISTRATOR = "arn:aws:iam::123456789012:role/Administrator"  # the person or pipeline outside: never checked

_acting = threading.local()


def current_role() -> str:
    """Return the ARN of the role that the running thread acts as; the administrator if it took none."""
    stack = getattr(_acting, "roles", None)
    if stack:
        return str(stack[-1])
    return getattr(threading.current_thread(), "kedge_role", ADMINISTRATOR)


@contextmanager
def acting_as(role_arn: str) -> Iterator[None]:
    """Have the running thread act as a role."""
    stack = _acting.__dict__.setdefault("roles", [])
    stack.append(role_arn)
    try:
        yield
    finally:
        stack.pop()


@contextmanager
def inherited_by_threads() -> Iterator[None]:
    """Have every thread started inside act as the one that started it: a pool inside a handler has its role."""
    start = threading.Thread.start

    def start_with_role(thread: threading.Thread) -> None:
        thread.kedge_role = current_role()  # type: ignore[attr-defined]  # threads carry no credentials of their own
        start(thread)

    with patch.object(threading.Thread, "start", start_with_role):
        yield
