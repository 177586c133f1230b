"""The processes that scripts run in, some of them waiting with their libraries loaded.

An image brings its own Python. `Account(interpreters={"1.7-1": ...})` says which interpreter runs the scripts of the
image with that tag, with the packages that this interpreter has; any other image's run in this process's Python.
On AWS a job waits minutes for its instance and its image; none of that is the program's work. Importing a framework
takes seconds here, so an account that is told to (`keep_waiting`) has processes do so ahead of time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIBRARIES = ("numpy", "xgboost")  # of the framework images
WAITING = Path(__file__).with_name("warm_process.py")
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


class Processes:
    """Starts programs."""

    def __init__(self, interpreters: Mapping[str, Path] | None = None) -> None:
        self.interpreters = dict(interpreters or {})
        self._lock = threading.Lock()
        self._waiting: deque[subprocess.Popen[bytes]] = deque()
        self._wanted = 0

    def interpreter_of(self, image: str) -> Path:
        """Return the Python that runs an image's scripts: by its tag, or by its name and tag where two share one."""
        for name, interpreter in self.interpreters.items():
            if image.endswith((f":{name}", f"/{name}")):
                return Path(interpreter)
        return OWN

    def keep_waiting(self, number: int) -> None:
        """Have this number of processes wait from now on."""
        with self._lock:
            self._wanted = number
            self._fill()

    def start(self, program: Program) -> subprocess.Popen[bytes]:
        """Start a program."""
        interpreter = program.interpreter
        job = {
            "command": list(program.command),
            "directory": str(program.directory.resolve()),
            "environment": dict(program.environment),
            "log": str(program.log.resolve()),
            "talks": program.talks,
            "isolated": program.isolated,
        }
        with self._lock:
            process = self._waiting.popleft() if self._waiting and interpreter == OWN else _new((), interpreter)
            self._fill()
        process.stdin.write(json.dumps(job).encode() + b"\n")  # type: ignore[union-attr]
        if not program.talks:
            process.stdin.close()  # type: ignore[union-attr]
            process.stdout.close()  # type: ignore[union-attr]
        return process

    def close(self) -> None:
        """End those that still wait."""
        with self._lock:
            for process in self._waiting:
                process.kill()
                process.wait()
                process.stdin.close()  # type: ignore[union-attr]
                process.stdout.close()  # type: ignore[union-attr]
            self._waiting.clear()

    def _fill(self) -> None:
        while len(self._waiting) < self._wanted:
            self._waiting.append(_new(LIBRARIES))


def _new(libraries: tuple[str, ...], interpreter: Path = OWN) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(interpreter), "-u", str(WAITING), *libraries],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=inherited(),
    )
