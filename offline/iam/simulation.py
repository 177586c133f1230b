"""IAM's simulator: SimulatePrincipalPolicy for roles, by the evaluator that judges every call of the account.

The real one also evaluates organisation policies, and resource policies that the caller hands over. Imitated: a role's
own policies and its permissions boundary, with the context that the caller gives, and nothing that a resource's own
policy says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

from offline.iam.guard import Guard
from offline.iam.policies import decide
from offline.region import Region

DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", None: "implicitDeny"}


def install(region: Region, guard: Guard) -> None:
    """Have moto's IAM answer SimulatePrincipalPolicy."""

    def simulate_principal_policy(response: Any) -> ActionResult:
        request = response._get_params()
        # What is changed over HTTP is not observed: the simulator reads the policies anew.
        guard.forget()
        facts = {
            entry["ContextKeyName"].lower(): entry["ContextKeyValues"] for entry in request.get("ContextEntries") or []
        }
        results = [
            _result(guard, request["PolicySourceArn"], action, resource, facts)
            for action in request["ActionNames"]
            for resource in request.get("ResourceArns") or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    region.patch(IamResponse, "simulate_principal_policy", simulate_principal_policy, create=True)


def _result(guard: Guard, role: str, action: str, resource: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    known = {**guard.facts_of(role), **facts}
    own = decide(guard.statements_covering(role, action), resource, known)
    result: dict[str, Any] = {"EvalActionName": action, "EvalResourceName": resource, "MatchedStatements": []}
    bounded = guard.inside_boundary(role, action, resource, known)
    if bounded is not None:
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bounded}
    result["EvalDecision"] = DECISIONS[own if bounded is not False or own == "Deny" else None]
    return result
