"""What the offline account does not know fails the deploy: resource types, properties, sections and attributes.

Real CloudFormation knows everything in its registry. Here each resource model lists the property paths that it
honours (or that nothing offline could depend on), and a template that says more is refused before anything is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from offline.cloudformation.template import TemplateError, function_name

SECTIONS = {
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
}
ATTRIBUTES = {"Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}

# Snapshot is not imitated: no type here has one.
POLICIES = {
    "DeletionPolicy": ("Delete", "Retain", "RetainExceptOnCreate"),
    "UpdateReplacePolicy": ("Delete", "Retain"),
}


class DeployError(Exception):
    """A stack cannot be deployed."""


@dataclass(frozen=True)
class Paths:
    """The property paths of a type: "A.B" is B inside A, list items count as their list, "A.*" is anything in A, "*" anything."""

    known: frozenset[str]
    free: tuple[str, ...]

    @classmethod
    def of(cls, paths: Iterable[str]) -> Paths:
        """Read a list of paths; every path's parents are known too."""
        known: set[str] = set()
        free = []
        for path in paths:
            if path == "*":
                free.append("")
                continue
            if path.endswith(".*"):
                free.append(path := path.removesuffix(".*"))
            parts = path.split(".")
            known.update(".".join(parts[: end + 1]) for end in range(len(parts)))
        return cls(frozenset(known), tuple(free))

    def unknown(self, properties: Any, inside: str = "") -> list[str]:
        """Return the paths that a template's properties use and that are not known."""
        if inside in self.free:
            return []
        if isinstance(properties, list):
            return [path for item in properties for path in self.unknown(item, inside)]
        if not isinstance(properties, dict):
            return []
        name = function_name(properties)
        if name == "Fn::If":
            return [path for branch in properties[name][1:] for path in self.unknown(branch, inside)]
        if name is not None:
            return []
        found = []
        for key, value in properties.items():
            path = f"{inside}.{key}" if inside else key
            found += self.unknown(value, path) if path in self.known else [path]
        return found


def check_template(stack: str, template: Mapping[str, Any], types: Mapping[str, Paths]) -> None:
    """Refuse a template that holds anything unknown, naming the stack, the logical id, the type and the property."""
    problems = [f"unknown section {section}" for section in template if section not in SECTIONS]
    for logical_id, resource in template.get("Resources", {}).items():
        problems += [f"{logical_id}: {problem}" for problem in _problems(resource, types)]
    if problems:
        raise DeployError(f"stack {stack}: " + "; ".join(problems))


def _problems(resource: Mapping[str, Any], types: Mapping[str, Paths]) -> list[str]:
    kind = resource.get("Type", "")
    if kind not in types:
        return [f"unknown resource type {kind}"]
    try:
        unknown = types[kind].unknown(resource.get("Properties", {}))
    except TemplateError as error:
        return [f"{kind}: {error}"]
    problems = [f"{kind} has no known property {path}" for path in unknown]
    problems += [f"{kind}: unknown attribute {name}" for name in resource if name not in ATTRIBUTES]
    return problems + [
        f"{kind}: {name} is {resource[name]!r} and may be {', '.join(allowed)}"
        for name, allowed in POLICIES.items()
        if name in resource and resource[name] not in allowed
    ]
