"""Whether each role still has what its template gave it, and whether nothing above it takes that away.

There are two different faults. A role that *lost* a statement differs from its template. A role that has all its statements
may still be denied by its permissions boundary or by the organisation: IAM's simulator shows this for each statement, on
its own resources. The simulator does not know key policies; `keys` looks at those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.checks.installation import ROLE, Installation
from cli.doctor.findings import Finding, failed, ok
from cli.doctor.refused import absent
from cli.doctor.remedies import restore
from kedge.comparisons import counted

POLICY = "AWS::IAM::Policy"
# A wildcard stands for names that are not known yet; the simulator is asked about one of them.
SOME = "kedge-doctor"
TYPES = {"Bool": "boolean", "Numeric": "numeric", "Date": "date", "Ip": "ip"}


@dataclass(frozen=True)
class Denial:
    """An action that a role's own policy allows and something else denies."""

    action: str
    resource: str
    by: str


def check(installation: Installation) -> Iterator[Finding]:
    """Compare each role with its template, then simulate each of its statements."""
    iam = installation.client("iam")
    templates = {stack: installation.template(stack)["Resources"] for stack in installation.stacks}
    for role in installation.resources(ROLE):
        name = role.physical_id
        try:
            described = iam.get_role(RoleName=name)["Role"]
        except ClientError as error:
            if not absent(error):
                raise
            yield failed(name, f"the role of {role.logical_id} is gone", restore(role.stack))
            continue
        own = _statements(iam, name)
        gone = lost(wanted(templates[role.stack], role.logical_id), own)
        if gone:
            reason = f"the role lost what its template gives it: {'; '.join(gone)}"
            yield failed(described["Arn"], reason, restore(role.stack))
        denials = list(_denials(iam, described["Arn"], own))
        yield from denied(described, denials)
        if not gone and not denials:
            yield ok(described["Arn"], f"may do what its policy says ({counted(len(own), 'statement')})")


def wanted(resources: Mapping[str, Any], role: str) -> list[Mapping[str, Any]]:
    """The statements that a template attaches to a role."""
    policies = [each["Properties"] for each in resources.values() if each["Type"] == POLICY]
    attached = [policy for policy in policies if {"Ref": role} in policy.get("Roles", [])]
    return [statement for policy in attached for statement in policy["PolicyDocument"]["Statement"]]


def lost(template: Sequence[Mapping[str, Any]], own: Sequence[Mapping[str, Any]]) -> list[str]:
    """The template's statements that the role no longer has, by name and actions."""
    held: dict[tuple[str, str], set[str]] = {}
    for statement in own:
        held.setdefault(_kind(statement), set()).update(_several(statement.get("Action", [])))
    gone = [(each, [a for a in _several(each["Action"]) if a not in held.get(_kind(each), set())]) for each in template]
    return [f"{each.get('Sid', 'a statement')} ({', '.join(actions)})" for each, actions in gone if actions]


def denied(role: Mapping[str, Any], denials: Sequence[Denial]) -> Iterator[Finding]:
    """One finding for each source of denials, with the denied actions."""
    boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    reasons = {
        "boundary": (
            f"its permissions boundary {boundary} does not allow",
            f"allow them in {boundary}, or aws iam delete-role-permissions-boundary --role-name {role['RoleName']}",
        ),
        "organisation": (
            "a policy of the organisation (SCP or RCP) does not allow",
            "ask the organisation's administrator to allow them: AWS Organizations console > Policies",
        ),
        "policy": (
            "an explicit deny in a policy of its own forbids",
            f"IAM console > Roles > {role['RoleName']} > Permissions: remove the policy that Kedge did not make",
        ),
    }
    for by, (reason, remedy) in reasons.items():
        actions = sorted({denial.action for denial in denials if denial.by == by})
        if actions:
            yield failed(role["Arn"], f"{reason} {', '.join(actions)}", remedy)


def contexts(statement: Mapping[str, Any], denies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Facts under which the statement applies, and no Deny of the same actions does.

    A Deny `unless X is Y` (StringNotEquals and its like) needs the fact that X is Y.
    """
    actions = set(_several(statement["Action"]))
    lines = list(_conditions(statement))
    for deny in denies:
        if actions & set(_several(deny.get("Action", []))):
            lines += [line for line in _conditions(deny) if "Not" in line[0]]
    return [
        {
            "ContextKeyName": key,
            "ContextKeyType": next((kind for start, kind in TYPES.items() if operator.startswith(start)), "string"),
            "ContextKeyValues": [str(_several(value)[0]).replace("*", SOME)],
        }
        for operator, key, value in map(_fact, lines)
        if value is not None
    ]


def _statements(iam: Any, role: str) -> list[Mapping[str, Any]]:
    names = [
        name for page in iam.get_paginator("list_role_policies").paginate(RoleName=role) for name in page["PolicyNames"]
    ]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    read = [json.loads(document) if isinstance(document, str) else document for document in documents]
    return [statement for document in read for statement in _several(document["Statement"])]


def _denials(iam: Any, role: str, own: Sequence[Mapping[str, Any]]) -> Iterator[Denial]:
    denies = [statement for statement in own if statement["Effect"] == "Deny"]
    for statement in own:
        if statement["Effect"] != "Allow" or "Action" not in statement:
            continue
        resources = [each if each == "*" else each.replace("*", SOME) for each in _several(statement["Resource"])]
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=role,
            ActionNames=_several(statement["Action"]),
            ResourceArns=resources,
            ContextEntries=contexts(statement, denies),
        )
        for page in pages:
            for result in page["EvaluationResults"]:
                if result["EvalDecision"] != "allowed":
                    yield Denial(result["EvalActionName"], result.get("EvalResourceName", "*"), _by(result))


def _by(result: Mapping[str, Any]) -> str:
    if not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        return "boundary"
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return "organisation"
    return "policy"


def _kind(statement: Mapping[str, Any]) -> tuple[str, str]:
    return str(statement["Effect"]), str(statement.get("Sid", ""))


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for operator, block in statement.get("Condition", {}).items():
        for key, value in block.items():
            yield operator.rpartition(":")[2], key, value


def _fact(line: tuple[str, str, Any]) -> tuple[str, str, Any]:
    """The fact that a line of a condition needs; `Null: false` needs any, `Null: true` none."""
    operator, key, value = line
    if operator != "Null":
        return line
    return operator, key, None if str(_several(value)[0]).lower() == "true" else SOME


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
