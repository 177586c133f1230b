"""What every resource model is given and gives back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline.template_check import Paths

if TYPE_CHECKING:
    from offline.account import Account


@dataclass(frozen=True)
class Made:
    """A created resource: what `Ref` gives, and what `Fn::GetAtt` gives by name."""

    reference: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Making:
    """One resource about to be made: where, and under which logical id of which stack."""

    account: Account
    stack: str
    logical_id: str
    assets: Mapping[tuple[str, str], Path]
    afterwards: Callable[[Callable[[], object]], None]  # what to do once the whole stack is made

    def client(self, service: str) -> Any:
        """Return the administrator's client of a service."""
        return self.account.client(service)

    def name(self, limit: int = 64, *, lower: bool = False) -> str:
        """Return the physical name that CloudFormation would generate: stack, logical id, twelve characters."""
        seed = f"{self.account.account_id}/{self.account.region}/{self.account.seed}/{self.stack}/{self.logical_id}"
        suffix = hashlib.sha256(seed.encode()).hexdigest()[:12].upper()
        room = limit - len(suffix) - 2
        stack = self.stack[: max(room // 2, room - len(self.logical_id))]
        name = f"{stack}-{self.logical_id[: room - len(stack)]}-{suffix}"
        return name.lower() if lower else name

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and region."""
        return f"arn:aws:{service}:{self.account.region}:{self.account.account_id}:{resource}"


Create = Callable[[Making, dict[str, Any]], Made]


@dataclass(frozen=True)
class ResourceType:
    """A CloudFormation type: its name, the property paths it honours, and how to make one."""

    name: str
    paths: Paths
    create: Create


def resource_type(name: str, paths: str, create: Create) -> ResourceType:
    """Describe a type; `paths` lists its property paths, separated by white space."""
    return ResourceType(name, Paths.of(paths.split()), create)


def only(properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return those of the named properties that were given."""
    return {name: properties[name] for name in names if name in properties}


def text(document: Any) -> str:
    """Return a policy or another JSON document as the text that the API wants."""
    return document if isinstance(document, str) else json.dumps(document)


def tags(properties: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the resource's tags as a list, whichever way the type writes them."""
    given = properties.get("Tags") or []
    if isinstance(given, Mapping):
        return [{"Key": key, "Value": value} for key, value in given.items()]
    return [dict(tag) for tag in given]


def flag(value: Any) -> bool:
    """Return a template's boolean, which may be written as text."""
    return value if isinstance(value, bool) else str(value).lower() == "true"
