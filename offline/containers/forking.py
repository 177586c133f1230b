"""The parent of an image's programs: loads the libraries that it is given once, and becomes a program in a fork of itself.

Whoever asks sends, over the socket of this process, the three ends of pipes that are a program's standard input, its standard output,
and where its process id and in the end its exit status go. The first line of the input says which program, with what arguments,
environment, directory and log. This file runs as a program of its own, under any image's Python, and imports nothing of the account's.
It starts no thread, which a fork would lose.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import sys
from array import array
from contextlib import suppress
from pathlib import Path

# Process id and exit status, as `subprocess` gives it: negative is the signal that ended it.
NUMBER = struct.Struct("<i")
PIPES = 3
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


def follow(program: int, said: int) -> None:
    """Tell how a program ends, and end."""
    os.write(said, NUMBER.pack(program))
    _, status = os.waitpid(program, 0)
    with suppress(BrokenPipeError):
        os.write(said, NUMBER.pack(-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)))
    os._exit(0)


def received(asked: socket.socket) -> list[int]:
    """Return the pipes that were sent, or none where the other end is gone."""
    room = socket.CMSG_SPACE(PIPES * array("i").itemsize)
    _, found, _, _ = asked.recvmsg(1, room)
    return [pipe for _, _, data in found for pipe in array("i", data)]


def reap(*_signal: object) -> None:
    """Let those go that have followed a program to its end, with the processor's time that it took."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def become_program() -> None:
    """Be what the first line of the input says."""
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


def main() -> None:
    """Wait for programs until the socket's other end is gone."""
    number, *libraries = sys.argv[1:]
    for library in libraries:
        with suppress(ImportError):
            importlib.import_module(library)
    asked = socket.socket(fileno=int(number))
    signal.signal(signal.SIGCHLD, reap)
    while True:
        pipes = received(asked)
        if not pipes:
            return
        if os.fork() == 0:
            break
        for pipe in pipes:
            os.close(pipe)
    asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    stdin, stdout, said = pipes
    if program := os.fork():
        # The program's end is the end of its output, whoever follows it.
        os.close(stdin)
        os.close(stdout)
        follow(program, said)
    os.close(said)
    for place, pipe in enumerate((stdin, stdout)):
        os.dup2(pipe, place)
        os.close(pipe)
    become_program()


if __name__ == "__main__":
    main()
