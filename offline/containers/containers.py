"""Inference containers: one long-lived process per model artefact, shared by endpoints and transform jobs.

SageMaker starts the model's image on each instance with the artefact under /opt/ml/model, and talks HTTP to it.
Imitated: the artefact (with `code/inference.py`, or the script of SAGEMAKER_SUBMIT_DIRECTORY) is unpacked once per
content and environment, and `offline.containers.worker` serves it in a process of its own without credentials, under
the image's Python where the account knows one (`offline.containers.processes`). Images, several instances, pipelines of containers
and multi-model endpoints are not: one process answers for a fleet. The least recently used containers are stopped
beyond a few, and started again when asked for.
"""

from __future__ import annotations

import hashlib
import select
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offline.containers.processes import OWN, Process, Processes, Program, inherited
from offline.containers.worker import ANSWER, REQUEST, read_exactly, write_all
from offline.sagemaker.storage import unpack

RUNNING_MAX = 4
LOAD_SECONDS = 120.0  # of real time: SageMaker waits minutes for the first ping
ANSWER_SECONDS = 60.0  # what InvokeEndpoint waits for a container
WORKER = Path(__file__).with_name("worker.py")
MODEL_DIR = "/opt/ml/model"


class ContainerError(Exception):
    """A container did not pass its health check."""


@dataclass(frozen=True)
class Reply:
    """A container's answer: HTTP status, content type, body, and the microseconds that it took."""

    status: int
    content_type: str
    body: bytes
    microseconds: int


class Containers:
    """The containers by what they were made of."""

    def __init__(self, directory: Path, processes: Processes) -> None:
        self.directory, self.processes = directory, processes
        self._lock = threading.RLock()
        self._known: OrderedDict[str, Container] = OrderedDict()  # the least recently asked for first

    def get(
        self,
        artefact: bytes,
        environment: Mapping[str, str],
        source: bytes | None = None,
        *,
        isolated: bool = False,
        interpreter: Path = OWN,
        algorithm: Path | None = None,
    ) -> Container:
        """Return the container of an artefact, its environment and a script kept apart; it begins to load.

        `algorithm` is what the image answers with by itself.
        """
        seed = repr((sorted(environment.items()), isolated, str(interpreter), str(algorithm))).encode() + (
            source or b""
        )
        digest = hashlib.sha256(hashlib.sha256(artefact).digest() + seed).hexdigest()[:16]
        with self._lock:
            if digest not in self._known:
                home = self.directory / digest
                unpack(artefact, home / "model")
                if source is not None:
                    unpack(source, home / "source")
                self._known[digest] = Container(
                    home, environment, self.processes, isolated=isolated, interpreter=interpreter, algorithm=algorithm
                )
            container = self._known[digest]
            self._known.move_to_end(digest)
            idle = [known for known in self._known.values() if known.running and known is not container]
        # Outside the lock: a container may be in the middle of an answer.
        for other in idle[: max(0, len(idle) + 1 - RUNNING_MAX)]:
            other.stop_if_idle()
        container.start()
        return container

    def close(self) -> None:
        """Stop everything and delete what was unpacked; the logs stay."""
        with self._lock:
            for container in self._known.values():
                container.stop()
                shutil.rmtree(container.home, ignore_errors=True)
            self._known.clear()


class Container:
    """One process, its pipes, and the order of its requests."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        processes: Processes,
        *,
        isolated: bool = False,
        interpreter: Path = OWN,
        algorithm: Path | None = None,
    ) -> None:
        self.isolated, self.interpreter, self.algorithm = isolated, interpreter, algorithm
        self.home, self.environment, self._processes = home.resolve(), dict(environment), processes
        self.fleets = 0  # endpoints that keep it running
        self._lock = threading.RLock()
        self._process: Process | None = None
        self._poll = select.poll()
        self._loaded = False

    @property
    def running(self) -> bool:
        """Tell whether the process is there."""
        return self._process is not None

    def start(self) -> None:
        """Start the process if it is not running; it loads the model while others go on."""
        with self._lock:
            if self._process is not None:
                return
            self._process = self._processes.start(
                Program(
                    self._command(),
                    directory=self.home,
                    environment=self._environment(),
                    log=self.home.with_suffix(".log"),
                    talks=True,
                    isolated=self.isolated,
                    interpreter=self.interpreter,
                )
            )
            self._loaded = False
            self._poll = select.poll()
            self._poll.register(self._process.stdout.fileno(), select.POLLIN | select.POLLHUP)  # type: ignore[union-attr]

    def _command(self) -> list[str]:
        if self.algorithm is not None:
            return [str(WORKER), str(self.home / "model"), str(self.algorithm.parent), self.algorithm.name]
        program = self.environment.get("SAGEMAKER_PROGRAM", "inference.py")
        places = [self.home / "source", self.home / "model" / "code", self.home / "model"]
        code = next((place for place in places if (place / program).exists()), places[1])
        return [str(WORKER), str(self.home / "model"), str(code), program]

    def _environment(self) -> dict[str, str]:
        given = {key: value.replace(MODEL_DIR, str(self.home / "model")) for key, value in self.environment.items()}
        return inherited() | {"SM_MODEL_DIR": str(self.home / "model"), "PYTHONUNBUFFERED": "1"} | given

    def ping(self) -> None:
        """Wait until the model is loaded; raise ContainerError with the reason if it does not load."""
        with self._lock:
            self.start()
            if self._loaded:
                return
            try:
                reply = self._receive(LOAD_SECONDS)
            except (OSError, EOFError, TimeoutError) as error:
                self.stop()
                raise ContainerError(f"the container ended before it answered: {error or 'see its log'}") from error
            if reply.status != 200:
                self.stop()
                raise ContainerError(reply.body.decode(errors="replace"))
            self._loaded = True

    def invoke(self, body: bytes, content_type: str, accept: str) -> Reply:
        """Answer one request; a container that cannot be reached answers 500 like one whose script raised."""
        with self._lock:
            try:
                if not self._loaded or self._process is None:
                    self.ping()
                named, wanted = content_type.encode(), accept.encode()
                frame = REQUEST.pack(len(named), len(wanted), len(body)) + named + wanted + body
                write_all(self._process.stdin.fileno(), frame)  # type: ignore[union-attr]
                return self._receive(ANSWER_SECONDS)
            except ContainerError as error:
                return _failed(str(error))
            except TimeoutError:
                self.stop()
                return _failed("the container did not answer in time", microseconds=int(ANSWER_SECONDS * 1e6))
            except (OSError, EOFError):
                self.stop()
                return _failed("the container ended while it answered")

    def _receive(self, seconds: float) -> Reply:
        out = self._process.stdout.fileno()  # type: ignore[union-attr]
        if not self._poll.poll(seconds * 1000):
            raise TimeoutError
        status, spent, type_length, body_length = ANSWER.unpack(read_exactly(out, ANSWER.size))
        rest = read_exactly(out, type_length + body_length)
        return Reply(status, rest[:type_length].decode(), rest[type_length:], spent)

    def stop_if_idle(self) -> None:
        """End the process unless an endpoint keeps it or it is answering just now."""
        if not self.fleets and self._lock.acquire(blocking=False):
            try:
                self.stop()
            finally:
                self._lock.release()

    def stop(self) -> None:
        """End the process; the next request starts it again."""
        with self._lock:
            process, self._process, self._loaded = self._process, None, False
            if process is None:
                return
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _failed(reason: str, microseconds: int = 0) -> Reply:
    return Reply(500, "application/json", reason.encode(), microseconds)
