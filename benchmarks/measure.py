"""What a child process costs: its CPU seconds and those of its children, and the most memory it held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_MIB = 1024 if sys.platform != "darwin" else 1024**2  # Linux counts kibibytes, macOS bytes
# Linux charges a child with the memory of the process that started it, up to the moment at which it becomes itself. So a
# small process stands in between.
_BETWEEN = """
import json, os, subprocess, sys, time
started = time.perf_counter()
child = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
spent = [usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss, child.returncode]
with open(sys.argv[1], "w") as told:
    json.dump(spent, told)
"""


@dataclass(frozen=True)
class Spent:
    """One process, from its start to its end."""

    cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    exit_code: int
    output: str


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end and read what the kernel counted for it."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "spent.json"
        done = subprocess.run(  # noqa: S603  # the benchmarks' own commands
            [sys.executable, "-I", "-S", "-c", _BETWEEN, str(told), *command],
            cwd=ROOT,
            check=False,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        cpu, wall, peak, code = json.loads(told.read_text())
    return Spent(cpu, wall, peak / _MIB, code, done.stdout)


def best(command: Sequence[str], *, times: int = 3, environment: Mapping[str, str] | None = None) -> Spent:
    """The cheapest of some runs: whatever else the machine does only adds."""
    return min((run(command, environment=environment) for _ in range(times)), key=lambda spent: spent.cpu_seconds)
