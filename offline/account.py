"""An AWS account inside this process: one region, one clock, every service behind its ordinary boto3 client.

Real AWS isolates functions, jobs and roles in machines of their own; here they are threads and subprocesses of one
program, and a role is an attribute of the running thread. moto answers the calls; the modules listed in `MODULES`
add what it lacks, each through `install(account)`.
"""

from __future__ import annotations

import importlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.awslambda_simple.models import lambda_simple_backends
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal import mock_random
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from offline import roles
from offline.calls import Call
from offline.clock import Clock

if TYPE_CHECKING:
    from offline.cloud_trail import Trail
    from offline.cloudformation.stacks import Stacks
    from offline.functions.events import FunctionEvents
    from offline.functions.runtime import Functions
    from offline.iam.guard import Guard
    from offline.sagemaker.capacity import Capacity

# Each extends one service; the order is that in which one may lean on another.
MODULES = (
    "cloud_trail",
    "speed.transport",
    "speed.s3",
    "s3_conflicts",
    "speed.dynamodb",
    "iam.guard",
    "iam.simulation",
    "quotas",
    "paging",
    "functions.runtime",
    "delivery.events",
    "metrics.cloudwatch",
    "alarms.alarms",
    "delivery.queues",
    "delivery.mail",
    "delivery.scheduler",
    "sagemaker.capacity",
    "sagemaker.registry",
    "sagemaker.jobs",
    "sagemaker.endpoints",
    "step_functions.machines",
    "athena.queries",
    "cloudformation.stacks",
)
MOTO_SETTINGS = {
    "core": {"mock_credentials": False, "reset_boto3_session": True},
    "lambda": {"use_docker": False},
    "batch": {"use_docker": False},
    "stepfunctions": {"execute_state_machine": True},
}


class Account:
    """The account: enter it to start it, leave it to give the process back as it was."""

    # Set by the module that knows how: offline.functions.runtime, offline.delivery.events, offline.metrics.cloudwatch, ...
    functions: Functions
    function_events: FunctionEvents
    iam: Guard
    publish_event: Callable[..., None]
    put_metric: Callable[..., None]
    stacks: Stacks
    capacity: Capacity
    trail: Trail

    def __init__(
        self,
        *,
        start: datetime,
        region: str = "eu-west-1",
        seed: int = 0,
        directory: Path | None = None,
        page_items: int | None = None,
        interpreters: Mapping[str, Path] | None = None,
    ) -> None:
        self.account_id = DEFAULT_ACCOUNT_ID
        self.region = region
        self.seed = seed
        self.page_items = page_items  # of every listing; None: as many as AWS and moto give
        self.interpreters = dict(interpreters or {})  # by the tag of the image whose scripts they run
        self.directory = Path(directory if directory is not None else "build/account").resolve()
        self.mail_directory = self.directory / "mail"
        self.clock = Clock(start)
        self.random = random.Random(seed)
        self.calls: list[Call] = []
        self._stack = ExitStack()
        self._clients: dict[str, Any] = {}
        self._plain_clients: dict[str, Any] = {}
        self._backends: dict[str, Any] = {}

    # Life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Account:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.mail_directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self._stack = stack
            self._enter(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _enter(self, stack: ExitStack) -> None:
        stack.callback(time.tzset)  # runs last: after the environment has its own TZ back
        # Nothing of the shell's: a profile, or an endpoint URL of another account, would lead our own clients elsewhere.
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        stack.enter_context(patch.dict(os.environ, others | self._environment(), clear=True))
        time.tzset()
        mock_random.seed(self.seed)
        stack.enter_context(mock_aws(config=MOTO_SETTINGS))  # type: ignore[arg-type]  # moto types its settings as keys
        self.clock.start()
        stack.callback(self.clock.stop)
        stack.enter_context(roles.inherited_by_threads())
        for name in MODULES:
            importlib.import_module(f"offline.{name}").install(self)

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "AKIAOFFLINEACCOUNT00",
            "AWS_SECRET_ACCESS_KEY": "offline",
            "AWS_SESSION_TOKEN": "offline",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "TZ": "UTC",
        }

    def on_close(self, action: Callable[[], object]) -> None:
        """Have `action` called when the account is left, last asked first."""
        self._stack.callback(action)

    def patch(self, target: object, attribute: str, value: object, *, create: bool = False) -> None:
        """Replace an attribute of moto's (or botocore's) for as long as the account is open, or `create` one that it lacks."""
        self._stack.enter_context(patch.object(target, attribute, value, create=create))

    # Who calls ----------------------------------------------------------------------------------------------------

    def client(self, service: str) -> Any:
        """Return a boto3 client that acts as the account's administrator wherever it is used."""
        if service not in self._clients:
            self._clients[service] = client = boto3.client(service, region_name=self.region)  # type: ignore[call-overload]
            client.meta.events.register_first("provide-client-params", _as_administrator)
        return self._clients[service]

    def plain_client(self, service: str) -> Any:
        """Return a boto3 client that acts as whatever role the thread using it has taken."""
        if service not in self._plain_clients:
            self._plain_clients[service] = boto3.client(service, region_name=self.region)  # type: ignore[call-overload]
        return self._plain_clients[service]

    @contextmanager
    def as_role(self, role_arn: str) -> Iterator[None]:
        """Record and check every AWS call made inside, by this thread and those it starts, as that role's."""
        with roles.acting_as(role_arn):
            yield

    def backend(self, service: str) -> Any:
        """Return moto's backend of a service in this account and region."""
        if service not in self._backends:
            regions = _backends_of(service)[self.account_id]
            self._backends[service] = regions[self.region if self.region in regions else "aws"]
        return self._backends[service]

    # What it does -------------------------------------------------------------------------------------------------

    def deploy(self, assembly: Path, **parameters: str) -> dict[str, dict[str, str]]:
        """Create every stack of a CDK cloud assembly, or update it, in order; return each stack's outputs."""
        from offline.cloudformation.deployment import deploy

        return deploy(self, Path(assembly), parameters)

    def delete_stack(self, name: str) -> None:
        """Delete a stack and what its template does not retain."""
        self.stacks.delete(name)

    def invoke_function(self, function: str, event: Any) -> Any:
        """Invoke a function by name or ARN and wait for its answer; its failure raises FunctionError."""
        return self.functions.invoke(function, event)

    def invoke_function_later(self, function: str, event: Any) -> None:
        """Invoke a function as an asynchronous caller does: retried twice, then sent to its failure destination."""
        self.function_events.invoke_later(function, event)

    def serve(self, port: int, about: Mapping[str, str] | None = None) -> Any:
        """Answer the AWS CLI and boto3 over HTTP on a port."""
        from offline.server import serve

        return serve(self, port, about)


def _backends_of(service: str) -> Any:
    # moto has two backends each for Lambda and Step Functions; its settings above choose these.
    if service == "lambda":
        return lambda_simple_backends
    if service == "stepfunctions":
        return stepfunctions_parser_backends
    return get_backend(service)  # type: ignore[call-overload]  # moto types the names of services one by one


def _as_administrator(context: dict[str, Any], **_: object) -> None:
    context["kedge_role"] = roles.ADMINISTRATOR
