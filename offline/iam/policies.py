"""IAM's policy language: does a statement match an action on a resource, under these conditions?

Imitated: Allow and Deny, Action and NotAction, Resource and NotResource, Principal, wildcards, and the condition
operators that Kedge's templates could use. An operator or a policy variable that is not known is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Facts = Mapping[str, Any]  # condition key in lower case -> value, or list of values


class PolicyError(Exception):
    """A policy says something that this evaluator does not understand."""


@cache
def _pattern(text: str, ignore_case: bool) -> re.Pattern[str]:
    if "${" in text:
        raise PolicyError(f"policy variables are not imitated: {text}")
    wild = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(wild, re.IGNORECASE | re.DOTALL if ignore_case else re.DOTALL)


def like(value: str, pattern: str, *, ignore_case: bool = False) -> bool:
    """Return whether a value matches a pattern in which `*` and `?` are wild."""
    return _pattern(pattern, ignore_case).fullmatch(value) is not None


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


def _truth(value: Any) -> str:
    return str(value).lower()


Operator = Callable[[Any, Any], bool]
OPERATORS: dict[str, Operator] = {
    "StringEquals": lambda value, wanted: str(value) == str(wanted),
    "StringEqualsIgnoreCase": lambda value, wanted: _truth(value) == _truth(wanted),
    "StringLike": lambda value, wanted: like(str(value), str(wanted)),
    "ArnEquals": lambda value, wanted: like(str(value), str(wanted)),
    "ArnLike": lambda value, wanted: like(str(value), str(wanted)),
    "Bool": lambda value, wanted: _truth(value) == _truth(wanted),
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


def condition_holds(operator: str, key: str, wanted: Any, facts: Facts) -> bool:
    """Return whether one line of a Condition block holds."""
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    present = key.lower() in facts
    if name == "Null":
        return present != (_truth(_several(wanted)[0]) == "true")
    negated = name in NEGATED
    name = NEGATED.get(name, name)
    if name not in OPERATORS or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise PolicyError(f"the condition operator {operator} is not imitated")
    if not present:
        return if_exists or negated or quantifier == "ForAllValues"
    hits = [any(OPERATORS[name](value, each) for each in _several(wanted)) for value in _several(facts[key.lower()])]
    if negated:
        return not any(hits) if quantifier != "ForAnyValue" else not all(hits)
    return all(hits) if quantifier == "ForAllValues" else any(hits)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy."""

    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, Any], ...]
    principals: Mapping[str, tuple[str, ...]] | None
    sid: str

    def covers(self, action: str) -> bool:
        """Return whether the statement speaks of this action."""
        if self.not_actions:
            return not any(like(action, pattern, ignore_case=True) for pattern in self.not_actions)
        return any(like(action, pattern, ignore_case=True) for pattern in self.actions)

    def applies(self, resource: str, facts: Facts) -> bool:
        """Return whether it speaks of this resource, under these facts."""
        if self.not_resources:
            if any(like(resource, pattern) for pattern in self.not_resources):
                return False
        elif not any(like(resource, pattern) for pattern in self.resources):
            return False
        return all(condition_holds(operator, key, wanted, facts) for operator, key, wanted in self.conditions)

    def names(self, kind: str, principal: str) -> bool:
        """Return whether a resource policy's statement is about this principal."""
        if self.principals is None:
            return False
        named = self.principals.get(kind, ())
        return "*" in self.principals.get("AWS", ()) or principal in named


def read_policy(document: str | Mapping[str, Any]) -> tuple[Statement, ...]:
    """Read a policy document."""
    policy = json.loads(document) if isinstance(document, str) else document
    return tuple(_statement(statement) for statement in _several(policy.get("Statement", [])))


def _statement(given: Mapping[str, Any]) -> Statement:
    principals = given.get("Principal")
    if principals == "*":
        principals = {"AWS": "*"}
    return Statement(
        effect=given["Effect"],
        actions=tuple(_several(given.get("Action", []))),
        not_actions=tuple(_several(given.get("NotAction", []))),
        resources=tuple(_several(given.get("Resource", "*" if principals else []))),  # a trust policy names none
        not_resources=tuple(_several(given.get("NotResource", []))),
        conditions=tuple(
            (operator, key, wanted)
            for operator, lines in given.get("Condition", {}).items()
            for key, wanted in lines.items()
        ),
        principals={kind: tuple(_several(value)) for kind, value in principals.items()} if principals else None,
        sid=given.get("Sid", ""),
    )


def decide(statements: Iterable[Statement], resource: str, facts: Facts) -> str | None:
    """Return "Deny", "Allow" or None (silence) of statements that all cover the action."""
    allowed = False
    for statement in statements:
        if statement.applies(resource, facts):
            if statement.effect == "Deny":
                return "Deny"
            allowed = True
    return "Allow" if allowed else None
