"""One region of an account: what every service of it takes as its first argument.

A service gets from here its clock, its chance, moto's backends, clients that call as the administrator or as the running
thread's role, and a way to change moto or botocore for as long as the account is open. The other services that it needs
it takes as arguments of their own; `offline.account` hands them out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto.awslambda_simple.models import lambda_simple_backends
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from offline import roles
from offline.clock import Clock


class Region:
    """Where services live, and what all of them share."""

    def __init__(self, *, start: datetime, name: str, seed: int, directory: Path) -> None:
        self.account_id = DEFAULT_ACCOUNT_ID
        self.name = name
        self.seed = seed
        self.directory = directory.resolve()
        self.clock = Clock(start)
        self.random = random.Random(seed)
        self._closing = ExitStack()
        self._clients: dict[str, Any] = {}
        self._plain_clients: dict[str, Any] = {}
        self._backends: dict[str, Any] = {}

    def close(self) -> None:
        """Do what was kept for the end, the newest first."""
        self._closing.close()

    def on_close(self, action: Callable[[], object]) -> None:
        """Call `action` when the account is left; what was added last comes first."""
        self._closing.callback(action)

    def patch(self, target: object, attribute: str, value: object, *, create: bool = False) -> None:
        """Replace an attribute of moto's (or botocore's) for as long as the account is open, or `create` one that it lacks."""
        self._closing.enter_context(patch.object(target, attribute, value, create=create))

    def seeded(self, *parts: str) -> random.Random:
        """Return a generator of the account's seed and a name: what it gives does not depend on who drew before."""
        return random.Random("/".join((str(self.seed), *parts)))

    def client(self, service: str) -> Any:
        """Return a boto3 client that acts as the account's administrator wherever it is used."""
        if service not in self._clients:
            self._clients[service] = client = boto3.client(service, region_name=self.name)  # type: ignore[call-overload]
            client.meta.events.register_first("provide-client-params", _as_administrator)
        return self._clients[service]

    def plain_client(self, service: str) -> Any:
        """Return a boto3 client that acts as whatever role the thread using it has taken."""
        if service not in self._plain_clients:
            self._plain_clients[service] = boto3.client(service, region_name=self.name)  # type: ignore[call-overload]
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
            self._backends[service] = regions[self.name if self.name in regions else "aws"]
        return self._backends[service]

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource here."""
        return f"arn:aws:{service}:{self.name}:{self.account_id}:{resource}"


def _backends_of(service: str) -> Any:
    # moto has two backends each for Lambda and Step Functions; the account's settings for moto choose these.
    if service == "lambda":
        return lambda_simple_backends
    if service == "stepfunctions":
        return stepfunctions_parser_backends
    return get_backend(service)  # type: ignore[call-overload]  # moto types the names of services one by one


def _as_administrator(context: dict[str, Any], **_: object) -> None:
    context["kedge_role"] = roles.ADMINISTRATOR
