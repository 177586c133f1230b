"""What a process runs while it waits for a program: loads the libraries that it is given, then becomes the program.

The first line of its standard input says which program, with what arguments, environment, directory and log. This file
runs as a program of its own, under any image's Python, and imports nothing of the account's.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import sys
from contextlib import suppress
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def read_line(descriptor: int) -> bytes:
    """Read up to the end of the line and no further: what follows belongs to the program."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            sys.exit(0)
        line += byte
    return bytes(line)


def leave_network() -> None:
    """Go where there is no network, as far as the machine lets us: the pipes stay, a socket reaches nobody."""
    system = ctypes.CDLL(None)
    # The second way is for whoever is not root, and the kernel takes it from a process of one thread alone.
    for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET):
        if getattr(system, "unshare", None) and system.unshare(flags) == 0:
            return


def main() -> None:
    """Wait, then become the program."""
    for library in sys.argv[1:]:
        with suppress(ImportError):
            importlib.import_module(library)
    job = json.loads(read_line(0))
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (2,) if job["talks"] else (1, 2):
        os.dup2(log, descriptor)
    if job["isolated"]:
        leave_network()
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["directory"])
    program, *arguments = job["command"]
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path(program).resolve().parent)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
