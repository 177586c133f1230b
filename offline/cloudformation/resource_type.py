"""What every resource model is given and gives back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offline.cloudformation.template_check import Paths
from offline.functions.runtime import Functions
from offline.iam.guard import Guard
from offline.region import Region


@dataclass(frozen=True)
class Made:
    """A created resource: what `Ref` gives, and what `Fn::GetAtt` gives by name."""

    reference: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class HalfMadeError(ValueError):
    """A resource that was not made to the end, but has a physical id by which what there is of it is deleted."""

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(reason)
        self.reference = reference


@dataclass(frozen=True)
class Making:
    """One resource about to be made: where, and under which logical id of which stack."""

    region: Region
    guard: Guard
    functions: Functions
    stack: str
    logical_id: str
    assets: Mapping[tuple[str, str], Path]
    afterwards: Callable[[Callable[[], object]], None]  # what to do once the whole stack is made
    kind: str = ""  # the type, as the template writes it
    generation: int = 0  # how often the resource was replaced: its successor needs another name

    def client(self, service: str) -> Any:
        """Return the administrator's client of a service."""
        return self.region.client(service)

    def name(self, limit: int = 64, *, lower: bool = False) -> str:
        """Return the physical name that CloudFormation would generate: stack, logical id, twelve characters."""
        seed = f"{self.region.account_id}/{self.region.name}/{self.region.seed}/{self.stack}/{self.logical_id}"
        seed += f"/{self.generation}" if self.generation else ""
        suffix = hashlib.sha256(seed.encode()).hexdigest()[:12].upper()
        room = limit - len(suffix) - 2
        stack = self.stack[: max(room // 2, room - len(self.logical_id))]
        name = f"{stack}-{self.logical_id[: room - len(stack)]}-{suffix}"
        return name.lower() if lower else name

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and region."""
        return self.region.arn(service, resource)


Create = Callable[[Making, dict[str, Any]], Made]
Update = Callable[[Making, Made, dict[str, Any], dict[str, Any]], Made]  # what is there, its old and new properties
Delete = Callable[[Making, Made, dict[str, Any]], object]
Exists = Callable[[Making, str], bool]


@dataclass(frozen=True)
class ResourceType:
    """A CloudFormation type, and how one is made, changed and deleted.

    `properties` are the property paths that it honours, separated by white space. `replaced_by` are those whose "Update
    requires" is Replacement in the template reference, `named_by` the one that gives the physical name (a new name is
    a new resource); without `update` every change is one. `exists` is for an API that overwrites what has the name. `renames`
    tells that an update may answer another physical id, which makes it a replacement.
    """

    name: str
    properties: str
    create: Create
    delete: Delete
    update: Update | None = None
    replaced_by: str = ""
    named_by: str = ""
    exists: Exists | None = None
    renames: bool = False

    @property
    def paths(self) -> Paths:
        """The property paths, to hold a template against."""
        return Paths.of(self.properties.split())

    def replaces(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Tell whether a change from the old to the new properties takes a new resource, though others do not."""
        return any(_at(path, old) != _at(path, new) for path in (*self.replaced_by.split(), *self.named_by.split()))

    def given_name(self, properties: Mapping[str, Any]) -> str | None:
        """Return the physical name that the template chose, if it chose one."""
        return _at(self.named_by, properties) if self.named_by else None


def _at(path: str, properties: Any) -> Any:
    for part in path.split("."):
        properties = properties.get(part) if isinstance(properties, Mapping) else None
    return properties


def by_creating(create: Create) -> Update:
    """Update through an API that puts: to make it again is to change it."""
    return lambda making, _made, _old, new: create(making, new)


def nothing_to_delete(_making: Making, _made: Made, _properties: dict[str, Any]) -> None:
    """Delete what is nothing of its own."""


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


def refuse(making: Making, old: Mapping[str, Any], new: Mapping[str, Any], *names: str) -> None:
    """Fail an update that changes a property which cannot change, here or in AWS."""
    for name in names:
        if old.get(name) != new.get(name):
            raise ValueError(f"{name} of {making.logical_id} cannot be changed")
