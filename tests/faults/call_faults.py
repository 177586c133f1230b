"""Faults of a function at its AWS calls: killed before or after one, an answer lost, another delivery in between.

And what befalls every call for a while: a service that throttles, a clock that is wrong.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.endpoint
from botocore.exceptions import ClientError, ReadTimeoutError
from moto.awslambda.models import LambdaFunction
from moto.core.botocore_stubber import BotocoreStubber

from offline.account import Account
from offline.functions.errors import FunctionError
from offline.functions.runtime import Functions
from tests.handlers.memory_watch import run_apart

READS = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "InvokeEndpoint")
BEFORE, AFTER, LOST, BETWEEN = "killed before", "killed after", "its answer is lost", "another delivery before"


class Killed(BaseException):  # no error of the function's: nothing in it may catch this
    """The sandbox is gone."""


@dataclass(frozen=True)
class CallFault:
    """What happens at which call of which invocation of a function, all counted from the story's beginning."""

    handler: str
    invocation: int
    call: int
    operation: str
    how: str

    def __str__(self) -> str:
        return f"{self.handler}, run {self.invocation}: {self.how} call {self.call} ({self.operation})"


@dataclass(frozen=True)
class Storm:
    """A service that refuses every call of functions and machines for some time from the story's beginning on."""

    service: str
    code: str
    lasts: timedelta

    def __str__(self) -> str:
        return f"{self.service} answers {self.code} for {self.lasts}"


@dataclass(frozen=True)
class Skew:
    """Functions whose clock is wrong."""

    by: timedelta

    def __str__(self) -> str:
        hours = self.by / timedelta(hours=1)
        return f"the functions' clock is {abs(hours):g} h {'ahead' if hours > 0 else 'behind'}"


@dataclass(frozen=True)
class Watched:
    """A run of a function that comes first in a process of its own, whose memory is measured."""

    handler: str
    invocation: int

    def __str__(self) -> str:
        return f"{self.handler}, run {self.invocation}, in a process of its own"


Fault = CallFault | Storm | Skew | Watched


@dataclass
class Invocation:
    """One run of a function: its calls so far."""

    handler: str
    number: int
    calls: list[str] = field(default_factory=list)
    dead: bool = False
    thread: threading.Thread = field(default_factory=threading.current_thread)


@dataclass
class CallFaults:
    """Every call of a function, with what is to go wrong and what has."""

    account: Account
    planned: list[Fault] = field(default_factory=list)
    fired: set[Fault] = field(default_factory=set)
    invocations: list[Invocation] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    overweight: list[str] = field(default_factory=list)
    began: datetime | None = None
    _running: list[tuple[Invocation, Callable[[], Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        run, send = Functions._run, BotocoreStubber.__call__
        self.account.patch(
            Functions, "_run", lambda functions, function, payload: self._run(run, functions, function, payload)
        )
        self.account.patch(
            BotocoreStubber,
            "__call__",
            lambda stub, event_name, request, **more: self._send(send, stub, event_name, request, **more),
        )
        # A client does not really wait before its next attempt.
        self.account.patch(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))

    def begin(self, *planned: Fault) -> None:
        """Plan faults, and count from here on."""
        self.planned, self.fired, self.invocations, self.began = list(planned), set(), [], self.account.clock.now

    # Functions --------------------------------------------------------------------------------------------------

    def _run(self, run: Any, functions: Functions, function: LambdaFunction, payload: bytes) -> bytes:
        handler = str(function.handler).split(".")[-2]
        number = sum(known.handler == handler for known in self.invocations)
        invocation = Invocation(handler, number)
        self.invocations.append(invocation)
        self._running.append((invocation, lambda: _elsewhere(run, functions, function, payload)))
        for fault in self.planned:
            if isinstance(fault, Watched) and (fault.handler, fault.invocation) == (handler, number):
                self.fired.add(fault)
                self.overweight += weigh(self.account, function, json.loads(payload))
        try:
            with self._skewed():
                answer: bytes = run(functions, function, payload)
        except Killed:
            message = "Error: Runtime exited with error: signal: killed"
            raise FunctionError(
                function=function.function_name, error_type="Runtime.ExitError", message=message
            ) from None
        finally:
            self._running.pop()
        return answer

    def _skewed(self) -> Any:
        skew = next((fault for fault in self.planned if isinstance(fault, Skew)), None)
        self.fired |= {skew} if skew else set()
        return _Wrong(self.account, skew.by if skew else None)

    # Calls ------------------------------------------------------------------------------------------------------

    def _send(self, send: Any, stub: Any, event_name: str, request: Any, **more: Any) -> Any:
        _, service, operation = event_name.split(".", 2)
        self._rage(service, operation)
        if not self._running:
            return send(stub, event_name, request, **more)
        invocation, again = self._running[-1]
        if invocation.dead:
            raise Killed
        fault = self._due(invocation, len(invocation.calls))
        invocation.calls.append(f"{service}.{operation}")
        if fault is not None:
            self.fired.add(fault)
            if fault.how == BEFORE:
                self._kill(invocation)
            if fault.how == BETWEEN and threading.current_thread() is invocation.thread:
                self._deliver(again)
        answer = send(stub, event_name, request, **more)
        if fault is not None and fault.how == AFTER:
            self._kill(invocation)
        if fault is not None and fault.how == LOST:
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    def _due(self, invocation: Invocation, call: int) -> CallFault | None:
        for fault in self.planned:
            mine = isinstance(fault, CallFault) and fault not in self.fired
            if mine and (fault.handler, fault.invocation, fault.call) == (invocation.handler, invocation.number, call):
                return fault
        return None

    def _kill(self, invocation: Invocation) -> None:
        invocation.dead = True
        raise Killed

    def _deliver(self, again: Callable[[], Any]) -> None:
        """Run the same event whole, as its other delivery; what becomes of it is its own affair."""
        self._running.append((Invocation("another delivery", 0), again))
        try:
            again()
        except FunctionError:
            pass
        finally:
            self._running.pop()

    def _rage(self, service: str, operation: str) -> None:
        if not self._running and threading.current_thread() not in self.account.clock._threads:
            return  # neither a function nor a machine, but a person or a service
        self.services.add(service)
        for fault in self.planned:
            rages = isinstance(fault, Storm) and fault.service == service
            if rages and self.began is not None and self.account.clock.now < self.began + fault.lasts:
                self.fired.add(fault)
                answer = {
                    "Error": {"Code": fault.code, "Message": "Rate exceeded"},
                    "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "storm"},
                }
                raise ClientError(answer, operation)


def _elsewhere(run: Any, functions: Functions, function: LambdaFunction, payload: bytes) -> Any:
    """Run in a sandbox of its own: the one that is running takes no second event."""
    key = (function.function_name, function.code_sha_256)
    busy = functions._sandboxes.pop(key)
    try:
        return run(functions, function, payload)
    finally:
        functions._sandboxes[key] = busy


def weigh(account: Account, function: LambdaFunction, event: Any) -> list[str]:
    """Run a function in a process of its own against the account, and say where it takes more memory than its template gives."""
    server = account.serve(0)
    variables = {str(name): str(value) for name, value in function.environment_vars.items()}
    handler = str(function.handler).split(".")[-2]
    try:
        with patch.dict(
            os.environ, variables | {"KEDGE_TEST_ENDPOINT": server.url, "POWERTOOLS_TRACE_DISABLED": "true"}
        ):
            found = run_apart(handler, event, code=account.functions._sandbox(function).package.root)
    finally:
        server.close()
    says = [f"{handler} fails in a process of its own: {found['error']}"] if found["error"] else []
    limit = int(function.memory_size)
    return says + ([f"{handler} takes {found['mib']:.0f} MiB of {limit}"] if found["mib"] > limit else [])


class _Wrong:
    """The function's clock, wrong for as long as it runs."""

    def __init__(self, account: Account, by: timedelta | None) -> None:
        self.clock, self.by = account.clock, by

    def __enter__(self) -> None:
        if self.by is not None:
            self.clock._traveller.move_to(self.clock.now + self.by)

    def __exit__(self, *_error: object) -> None:
        if self.by is not None:
            self.clock._traveller.move_to(self.clock.now)


def faults_of(invocations: list[Invocation], walked: set[tuple[str, ...]]) -> list[CallFault]:
    """The calls at which killing a function can matter: before its first, around each that writes.

    What reads changes nothing: killed after it is killed before the next one. An invocation that makes the same calls as one
    that was `walked` is walked already.
    """
    found: list[CallFault] = []
    for invocation in invocations:
        shape = (invocation.handler, *_folded(invocation.calls))
        if shape in walked or not invocation.calls:
            continue
        walked.add(shape)
        for call, operation in enumerate(invocation.calls):
            writes = not operation.partition(".")[2].startswith(READS)
            hows = (BEFORE, AFTER, LOST, BETWEEN) if writes else (LOST, BETWEEN) if call == 0 else ()
            found += [CallFault(invocation.handler, invocation.number, call, operation, how) for how in hows]
    return found


def _folded(calls: list[str]) -> list[str]:
    """The calls without repetitions: a listing of two pages is a listing."""
    return [call for call, before in zip(calls, ["", *calls], strict=False) if call != before]
