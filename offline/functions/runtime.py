"""Lambda: runs a function's real handler, from its staged asset, as its role, in its environment and nothing more.

AWS runs every function in a sandbox of its own. Imitated: the environment (the template's variables and those the
runtime sets), the role, cold starts (one import per function and account), JSON in and out, payload limits, errors
as `FunctionError` tells them, timeouts (judged afterwards, in real time),
pauses (a few milliseconds, however long they are), log groups (what is printed, and what a handler raises, but no
START, END and REPORT), the metrics Invocations and Errors, layers (`offline.functions.layers`), and asynchronous
invocation (`offline.functions.events`). Memory, concurrency and X-Ray are not.
"""

from __future__ import annotations

import io
import json
import logging
import os
import threading
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction
from moto.moto_api._internal import mock_random

from offline import roles
from offline.functions.errors import FunctionError, check_size
from offline.functions.imports import Package
from offline.functions.layers import Importable, Layers
from offline.iam.guard import UnmappedCallError
from offline.iam.policies import PolicyError
from offline.metrics.cloudwatch import Metrics
from offline.region import Region

SYNCHRONOUS_BYTES_MAX = 6_291_556
PAUSE_SECONDS_MAX = (
    0.005  # of real time: a function that sends its requests at a pace goes on sending them one after another
)
REAL_TIME_ALLOWANCE = 4  # this machine may be that much slower than Lambda before a timeout is called


@dataclass
class Context:
    """The second argument of a handler."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    deadline: float
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Return how much of the timeout is left, in real milliseconds."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


@dataclass
class Sandbox:
    """What stays warm between invocations of a function."""

    package: Package
    log_group: str
    output: io.StringIO = field(default_factory=io.StringIO)
    loggers: dict[str, Any] = field(default_factory=dict)


class Functions:
    """The account's functions: those CloudFormation made, and those made by a plain CreateFunction."""

    def __init__(self, region: Region, metrics: Metrics) -> None:
        self.region, self.metrics = region, metrics
        self._declared: dict[str, tuple[Mapping[str, Any], Path | None]] = {}
        self.layers = Layers(region)
        self._sandboxes: dict[tuple[str, str, tuple[str, ...]], Sandbox] = {}
        self._one_at_a_time = threading.RLock()  # os.environ and sys.modules are the whole process's

    def register(self, name: str, properties: Mapping[str, Any], asset: Path | None) -> None:
        """Remember a function's template properties and where its asset was staged."""
        if asset is None:
            raise ValueError(f"the code of {name} is no asset of this assembly")
        self._declared[name] = (properties, asset)

    def declared(self, name: str) -> Mapping[str, Any]:
        """Return the properties that a function's template gives it, those that moto forgets included."""
        return self._declared.get(name, ({}, None))[0]

    def log_group(self, name: str) -> str:
        """Return where a function's lines go."""
        group: str = self.declared(name).get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{name}")
        return group

    def find(self, name_or_arn: str) -> LambdaFunction:
        """Return moto's record of a function."""
        name = name_or_arn.split(":")[6] if name_or_arn.startswith("arn:") else name_or_arn
        return self.region.backend("lambda").get_function(name)  # type: ignore[no-any-return]

    def load(self, function: LambdaFunction) -> Any:
        """Import a function's handler as its cold start would, and return it."""
        sandbox = self._sandbox(function)
        with self._one_at_a_time, self._inside(function, sandbox, _context(function, sandbox)):
            return sandbox.package.handler(str(function.handler))

    def invoke(self, name_or_arn: str, event: Any) -> Any:
        """Invoke a function and wait; what goes in and comes out has been through JSON."""
        return json.loads(self.run(self.find(name_or_arn), json.dumps(event).encode()))

    def run(self, function: LambdaFunction, payload: bytes) -> bytes:
        """Run one invocation: JSON in, JSON out, or FunctionError."""
        errors = 1
        try:
            answer = self._run(function, payload)
            errors = 0
            return answer
        finally:
            dimensions = {"FunctionName": function.function_name}
            self.metrics.put("AWS/Lambda", "Invocations", 1, dimensions, "Count")
            self.metrics.put("AWS/Lambda", "Errors", errors, dimensions, "Count")

    def _run(self, function: LambdaFunction, payload: bytes) -> bytes:
        check_size(len(payload), SYNCHRONOUS_BYTES_MAX, function.function_name)
        with self._one_at_a_time:
            sandbox = self._sandbox(function)
            context = _context(function, sandbox)
            told: list[str] = []
            try:
                return self._answer(function, sandbox, context, payload)
            except FunctionError as error:
                told.append(error.logged)
                raise
            finally:
                self._log(sandbox, context, told)

    def _answer(self, function: LambdaFunction, sandbox: Sandbox, context: Context, payload: bytes) -> bytes:
        name, started = function.function_name, time.monotonic()
        try:
            with self._inside(function, sandbox, context):
                handler = _imported(sandbox, function)
                answer = json.dumps(handler(json.loads(payload), context)).encode()
        except (UnmappedCallError, PolicyError, FunctionError):
            raise  # the account's own ignorance is no failure of the function's
        except Exception as error:
            trace = tuple(traceback.format_tb(_own_frames(error.__traceback__)))
            raise FunctionError(
                function=name, error_type=type(error).__name__, message=str(error), trace=trace
            ) from error
        if time.monotonic() - started > int(function.timeout) * REAL_TIME_ALLOWANCE:
            message = f"{context.aws_request_id} Task timed out after {function.timeout}.00 seconds"
            raise FunctionError(function=name, error_type="Sandbox.Timedout", message=message)
        if len(answer) > SYNCHRONOUS_BYTES_MAX:
            message = f"Response payload size exceeded maximum allowed payload size ({SYNCHRONOUS_BYTES_MAX} bytes)."
            raise FunctionError(function=name, error_type="Function.ResponseSizeTooLarge", message=message)
        return answer

    @contextmanager
    def _inside(self, function: LambdaFunction, sandbox: Sandbox, context: Context) -> Iterator[None]:
        # The mapping is exchanged, not its content: half a millisecond less, and the process's own stays as it is.
        outside, os.environ = os.environ, self._environment(function, context)  # type: ignore[assignment]
        # Loggers by name are the process's too: a function's would write where whoever made them first had its output.
        manager = logging.Logger.manager
        loggers, manager.loggerDict = manager.loggerDict, sandbox.loggers
        try:
            with (
                roles.acting_as(function.role),
                sandbox.package.loaded(),
                redirect_stdout(sandbox.output),
                patch.object(time, "sleep", _pause),
            ):
                yield
        finally:
            os.environ = outside  # noqa: B003
            manager.loggerDict = loggers

    def _environment(self, function: LambdaFunction, context: Context) -> dict[str, str]:
        # LAMBDA_TASK_ROOT would have powertools send traces to an X-Ray daemon, which does not exist here.
        return {
            "AWS_ACCESS_KEY_ID": "ASIAOFFLINEFUNCTION0",
            "AWS_SECRET_ACCESS_KEY": "offline",
            "AWS_SESSION_TOKEN": "offline",
            "AWS_REGION": self.region.name,
            "AWS_DEFAULT_REGION": self.region.name,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": context.log_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": context.log_stream_name,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LANG": "en_US.UTF-8",
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
            "TZ": "UTC",
            "_HANDLER": str(function.handler),
            **{str(key): str(value) for key, value in function.environment_vars.items()},
        }

    def _sandbox(self, function: LambdaFunction) -> Sandbox:
        layers = tuple(layer["Arn"] for layer in function.layers)
        key = (function.function_name, function.code_sha_256, layers)
        if key not in self._sandboxes:
            _, asset = self._declared.get(function.function_name, ({}, None))
            root = self._unpacked(function, asset)
            group = self.log_group(function.function_name)
            self.region.backend("logs").ensure_log_group(group)
            bytecode = root.parent / ".bytecode"
            importable = Importable(self.layers.folder(arn) for arn in layers)
            self._sandboxes[key] = Sandbox(Package(root, bytecode, importable), group)
        return self._sandboxes[key]

    def _unpacked(self, function: LambdaFunction, asset: Path | None) -> Path:
        if asset is not None and asset.is_dir():
            return asset
        root = self.region.directory / "functions" / f"{function.function_name}-{function.code_digest[-12:]}"
        if not root.exists():
            with zipfile.ZipFile(asset or io.BytesIO(function.code_bytes)) as archive:
                archive.extractall(root)
        return root

    def _log(self, sandbox: Sandbox, context: Context, errors: list[str]) -> None:
        messages = [*sandbox.output.getvalue().splitlines(), *errors]
        if messages:
            sandbox.output.seek(0)
            sandbox.output.truncate()
            logs, now = self.region.backend("logs"), int(time.time() * 1000)
            streams = logs.groups[context.log_group_name].streams
            if context.log_stream_name not in streams:
                logs.create_log_stream(context.log_group_name, context.log_stream_name)
            events = [{"timestamp": now, "message": message} for message in messages]
            logs.put_log_events(context.log_group_name, context.log_stream_name, events)


def _pause(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    sleep(min(seconds, PAUSE_SECONDS_MAX))


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of this account's, which are the runtime's: Lambda begins with the handler."""
    while trace is not None and Path(trace.tb_frame.f_code.co_filename).parent == Path(__file__).parent:
        trace = trace.tb_next
    return trace


def _imported(sandbox: Sandbox, function: LambdaFunction) -> Any:
    """Import the handler as the runtime does, which names a module that is missing in words of its own."""
    name = str(function.handler)
    try:
        return sandbox.package.handler(name)
    except ImportError as error:
        message = f"Unable to import module '{name.rpartition('.')[0]}': {error}"
        kind = "Runtime.ImportModuleError"
        raise FunctionError(function=function.function_name, error_type=kind, message=message) from error


def _context(function: LambdaFunction, sandbox: Sandbox) -> Context:
    return Context(
        function_name=function.function_name,
        invoked_function_arn=function.function_arn,
        memory_limit_in_mb=int(function.memory_size),
        aws_request_id=str(mock_random.uuid4()),
        log_group_name=sandbox.log_group,
        log_stream_name=time.strftime("%Y/%m/%d/[$LATEST]offline"),
        deadline=time.monotonic() + int(function.timeout),
    )
