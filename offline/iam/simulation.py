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

from offline.iam.policies import decide

DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", None: "implicitDeny"}


def install(account: Any) -> None:
    """Have moto's IAM answer SimulatePrincipalPolicy."""

    def simulate_principal_policy(response: Any) -> ActionResult:
        request = response._get_params()
        # What is changed over HTTP is not observed: the simulator reads the policies anew.
        account.iam.forget()
        facts = {
            entry["ContextKeyName"].lower(): entry["ContextKeyValues"] for entry in request.get("ContextEntries") or []
        }
        results = [
            _result(account, request["PolicySourceArn"], action, resource, facts)
            for action in request["ActionNames"]
            for resource in request.get("ResourceArns") or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    IamResponse.simulate_principal_policy = simulate_principal_policy  # type: ignore[attr-defined]
    account.on_close(lambda: delattr(IamResponse, "simulate_principal_policy"))


def _result(account: Any, role: str, action: str, resource: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    known = {**account.iam.facts_of(role), **facts}
    own = decide(account.iam.statements_covering(role, action), resource, known)
    result: dict[str, Any] = {"EvalActionName": action, "EvalResourceName": resource, "MatchedStatements": []}
    bounded = account.iam.inside_boundary(role, action, resource, known)
    if bounded is not None:
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bounded}
    result["EvalDecision"] = DECISIONS[own if bounded is not False or own == "Deny" else None]
    return result
