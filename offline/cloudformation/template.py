"""CloudFormation's template language: intrinsic functions, conditions, pseudo parameters, and who depends on whom.

Imitated: Ref, GetAtt, Sub, Join, Select, Split, ImportValue, FindInMap, Base64, If, Equals, And, Or, Not, Contains
(in Rules). Any other function is an error, never passed through as a literal.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")
NO_VALUE = object()


class TemplateError(Exception):
    """A template says something that this engine cannot evaluate."""


@dataclass
class Scope:
    """What a stack's expressions can name: parameters, mappings, conditions, the exports of others, its resources."""

    pseudo: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    mappings: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    exports: dict[str, Any] = field(default_factory=dict)
    references: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)  # which exports of others were read

    def reference(self, name: str) -> Any:
        """Return what `Ref` gives for a name."""
        if name == "AWS::NoValue":
            return NO_VALUE
        for known in (self.pseudo, self.parameters, self.references):
            if name in known:
                return known[name]
        raise TemplateError(f"Ref names {name!r}, which is no parameter and no created resource")

    def attribute(self, resource: str, name: str) -> Any:
        """Return what `Fn::GetAtt` gives."""
        known = self.attributes.get(resource)
        if known is None:
            raise TemplateError(f"Fn::GetAtt names {resource!r}, which is no created resource")
        if name not in known:
            raise TemplateError(f"Fn::GetAtt asks {resource!r} for {name!r}; it has: {', '.join(sorted(known))}")
        return known[name]

    def condition(self, name: str) -> bool:
        """Evaluate a named condition."""
        if name not in self.conditions:
            raise TemplateError(f"there is no condition {name!r}")
        return bool(resolve(self.conditions[name], self))


def resolve(value: Any, scope: Scope) -> Any:
    """Evaluate every intrinsic function inside a value; `AWS::NoValue` removes its key or list item."""
    if isinstance(value, dict):
        if name := function_name(value):
            return FUNCTIONS[name](value[name], scope)
        resolved = {key: resolve(item, scope) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}
    if isinstance(value, list):
        return [item for item in (resolve(item, scope) for item in value) if item is not NO_VALUE]
    return value


def function_name(value: Any) -> str | None:
    """Return the intrinsic function that a value is a call of; an unknown `Fn::` is an error."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (name,) = value
    if name in FUNCTIONS and (name != "Condition" or isinstance(value[name], str)):
        return str(name)
    if isinstance(name, str) and name.startswith("Fn::"):
        raise TemplateError(f"{name} is not imitated")
    return None


def mentioned(value: Any) -> Iterator[str]:
    """Yield every logical id that a value refers to."""
    if isinstance(value, list):
        for item in value:
            yield from mentioned(item)
    elif isinstance(value, dict):
        name = function_name(value)
        if name == "Ref":
            yield value["Ref"]
        elif name == "Fn::GetAtt":
            yield _attribute_parts(value["Fn::GetAtt"])[0]
        elif name == "Fn::Sub":
            yield from _mentioned_by_sub(value["Fn::Sub"])
        else:
            for item in value.values():
                yield from mentioned(item)


def _mentioned_by_sub(argument: Any) -> Iterator[str]:
    text, variables = argument if isinstance(argument, list) else (argument, {})
    yield from mentioned(variables)
    for escaped, name in PLACEHOLDER.findall(text):
        if not escaped and name not in variables:
            yield name.split(".", 1)[0]


def _attribute_parts(argument: Any) -> tuple[str, Any]:
    resource, name = argument.split(".", 1) if isinstance(argument, str) else argument
    return resource, name


def _get_att(argument: Any, scope: Scope) -> Any:
    resource, name = _attribute_parts(argument)
    return scope.attribute(resource, resolve(name, scope))


def _sub(argument: Any, scope: Scope) -> str:
    text, variables = argument if isinstance(argument, list) else (argument, {})
    variables = resolve(variables, scope)

    def replace(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return "${" + name + "}"
        if name in variables:
            return str(variables[name])
        return str(scope.attribute(*name.split(".", 1)) if "." in name else scope.reference(name))

    return PLACEHOLDER.sub(replace, text)


def _join(argument: Any, scope: Scope) -> str:
    separator, items = argument
    return str(separator).join(_text(item) for item in resolve(items, scope))


def _text(item: Any) -> str:
    if not isinstance(item, (str, int, float)):
        raise TemplateError(f"Fn::Join wants text and got {item!r}")
    return str(item)


def _import_value(argument: Any, scope: Scope) -> Any:
    name = resolve(argument, scope)
    if name not in scope.exports:
        raise TemplateError(f"no deployed stack exports {name!r}")
    scope.imported.add(name)
    return scope.exports[name]


def _find_in_map(argument: Any, scope: Scope) -> Any:
    name, first, second = resolve(argument, scope)
    try:
        return scope.mappings[name][first][second]
    except KeyError as error:
        raise TemplateError(f"the mapping {name!r} has no {first!r} / {second!r}") from error


def _if(argument: Any, scope: Scope) -> Any:
    condition, then, otherwise = argument
    return resolve(then if scope.condition(condition) else otherwise, scope)


def _equals(argument: Any, scope: Scope) -> bool:
    left, right = resolve(argument, scope)
    return bool(left == right)


def _contains(argument: Any, scope: Scope) -> bool:
    items, wanted = resolve(argument, scope)
    return wanted in items


FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": lambda argument, scope: scope.reference(argument),
    "Condition": lambda argument, scope: scope.condition(argument),
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": lambda argument, scope: resolve(argument[1], scope)[int(resolve(argument[0], scope))],
    "Fn::Split": lambda argument, scope: resolve(argument[1], scope).split(argument[0]),
    "Fn::ImportValue": _import_value,
    "Fn::FindInMap": _find_in_map,
    "Fn::Base64": lambda argument, scope: base64.b64encode(resolve(argument, scope).encode()).decode(),
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::And": lambda argument, scope: all(resolve(item, scope) for item in argument),
    "Fn::Or": lambda argument, scope: any(resolve(item, scope) for item in argument),
    "Fn::Not": lambda argument, scope: not resolve(argument[0], scope),
    "Fn::Contains": _contains,
}
