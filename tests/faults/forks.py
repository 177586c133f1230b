"""Each case runs in a fork of the process that built the world: a copy of a whole account costs milliseconds.

Nothing of a case comes back but its answer. A fork has none of its parent's threads, so the world must be at rest.
"""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offline.account import Account


class ForkFailedError(Exception):
    """The case did not come to its answer; the message is its traceback."""


def in_a_fork(account: Account, case: Callable[[], Any]) -> Any:
    """Run a case in a copy of the account, and return its answer."""
    gc.collect()
    gc.freeze()  # or the child's collector would touch, and so copy, every page
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _run(account, case, write)
    os.close(write)
    with os.fdopen(read, "rb") as answers:
        told = answers.read()
    _, status = os.waitpid(child, 0)
    if not told:
        raise ForkFailedError(f"it ended with status {status} and said nothing")
    answered, answer = pickle.loads(told)  # noqa: S301  # our own child wrote it
    if not answered:
        raise ForkFailedError(answer)
    return answer


def _run(account: Account, case: Callable[[], Any], write: int) -> None:
    """Answer through the pipe, and end without anything that the parent would do at its end."""
    directory = Path(tempfile.mkdtemp(prefix="kedge-fault-"))
    try:
        shutil.copytree(account.mail_directory, directory / "mail")
        account.directory = directory
        answer = pickle.dumps((True, case()))
    except BaseException:
        answer = pickle.dumps((False, traceback.format_exc()))
    try:
        with os.fdopen(write, "wb") as out:
            out.write(answer)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os._exit(0)
