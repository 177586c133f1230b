"""The processes that scripts run in: forks of one that has loaded the libraries.

An image brings its own Python. `Account(interpreters={"1.7-1": ...})` says which interpreter runs the scripts of the
image with that tag, with the packages that this interpreter has; any other image's run in this process's Python.
On AWS a job waits minutes for its instance and its image; none of that is the program's work. Importing a framework
takes seconds here, so each Python does so once (`offline.containers.forking`), and each script runs in a fork of it.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from offline.containers.forking import NUMBER

LIBRARIES = ("numpy", "xgboost")  # of the framework images
FORKING = Path(__file__).with_name("forking.py")
OWN = Path(sys.executable)


def inherited() -> dict[str, str]:
    """What a script gets of this process's environment: no credentials, and not this repository's modules."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    # An instance is alone on its processors. Here a training's threads would spin while one waits for another, and
    # take many times the processor's time where others want it too.
    return kept | {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Program:
    """A Python program to start, `isolated` without a network.

    One that `talks` has its standard input and output, else all output goes to the log.
    """

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    log: Path
    talks: bool = False
    isolated: bool = False
    interpreter: Path = OWN


class Process:
    """A program that runs in a fork of another process; what is used of `subprocess.Popen`."""

    def __init__(self, stdin: int, stdout: int, said: int) -> None:
        self.stdin, self.stdout = os.fdopen(stdin, "wb", buffering=0), os.fdopen(stdout, "rb", buffering=0)
        self._said = os.fdopen(said, "rb", buffering=0)
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, seconds: float | None = None) -> int:
        """Return its exit status once it has ended, or raise subprocess.TimeoutExpired."""
        self._pid  # noqa: B018  # comes first
        if self._status is None:
            said = select.poll()
            said.register(self._said)
            if not said.poll(None if seconds is None else seconds * 1000):
                raise subprocess.TimeoutExpired([], seconds or 0)
            self._status = self._read()
            self._said.close()
        return self._status

    def kill(self) -> None:
        """End it; one that has ended is left alone."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    @cached_property
    def _pid(self) -> int:
        return self._read()

    def _read(self) -> int:
        said = self._said.read(NUMBER.size)
        if not said:
            raise ChildProcessError("the process that forks scripts has ended, as where the machine has no memory left")
        number: int = NUMBER.unpack(said)[0]
        return number


class Parent:
    """A process that has loaded an image's libraries, and forks."""

    def __init__(self, interpreter: Path) -> None:
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [str(interpreter), "-u", str(FORKING), str(theirs.fileno()), *LIBRARIES],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=inherited(),
            )
        atexit.register(self.close)

    def fork(self) -> Process:
        """Return a process that awaits its job."""
        (stdin, to), (out, stdout), (told, said) = os.pipe(), os.pipe(), os.pipe()
        socket.send_fds(self._asked, [b"."], [stdin, stdout, said])
        for theirs in (stdin, stdout, said):
            os.close(theirs)
        return Process(to, out, told)

    def close(self) -> None:
        """End it; its programs go on."""
        self._asked.close()
        self._process.wait()


class Processes:
    """Starts programs."""

    def __init__(self, interpreters: Mapping[str, Path] | None = None) -> None:
        self.interpreters = dict(interpreters or {})

    def interpreter_of(self, image: str) -> Path:
        """Return the Python that runs an image's scripts: by its tag, or by its name and tag where two share one."""
        for name, interpreter in self.interpreters.items():
            if image.endswith((f":{name}", f"/{name}")):
                return Path(interpreter)
        return OWN

    def start(self, program: Program) -> Process:
        """Start a program."""
        job = {
            "command": list(program.command),
            "directory": str(program.directory.resolve()),
            "environment": dict(program.environment),
            "log": str(program.log.resolve()),
            "talks": program.talks,
            "isolated": program.isolated,
        }
        process = parent_of(program.interpreter).fork()
        process.stdin.write(json.dumps(job).encode() + b"\n")
        if not program.talks:
            process.stdin.close()
            process.stdout.close()
        return process


@cache
def parent_of(interpreter: Path) -> Parent:
    """The one parent of an interpreter's programs, whichever account starts them."""
    return Parent(interpreter)
