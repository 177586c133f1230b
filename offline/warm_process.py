"""What a process runs while it waits for a program: loads the libraries that it is given, then becomes the program.

The first line of its standard input says which program, with what arguments, environment, directory and log. This file
runs as a program of its own and imports nothing of the account's.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
from contextlib import suppress
from pathlib import Path


def read_line(descriptor: int) -> bytes:
    """Read up to the end of the line and no further: what follows belongs to the program."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            sys.exit(0)
        line += byte
    return bytes(line)


def main() -> None:
    """Wait, then become the program."""
    for library in sys.argv[1:]:
        with suppress(ImportError):
            importlib.import_module(library)
    job = json.loads(read_line(0))
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (2,) if job["talks"] else (1, 2):
        os.dup2(log, descriptor)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["directory"])
    program, *arguments = job["command"]
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path(program).resolve().parent)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
