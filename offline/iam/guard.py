"""IAM: every AWS call is recorded with the role that made it, and checked against what that role may do.

The real service evaluates identity policies, the resource's own policy, boundaries, session and organisation
policies. Imitated: a role's inline and managed policies with resources and conditions, its permissions boundary, the
policies of buckets, queues, topics, functions and keys, iam:PassRole, the permissions that a service asks on the caller's behalf (`implied`
in `offline.iam.implied`), and that S3 hides a missing object from who may not list. The administrator may everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from offline import roles
from offline.calls import Call
from offline.cloud_trail import Trail
from offline.iam.actions import ACTIONS, Need, Needs
from offline.iam.athena import ATHENA, GLUE
from offline.iam.implied import implied_needs
from offline.iam.policies import Statement, decide, read_policy
from offline.iam.resources import resource_policy
from offline.iam.s3 import S3
from offline.iam.sagemaker import RUNTIME, SAGEMAKER, tags_of
from offline.region import Region

OPERATIONS: dict[str, dict[str, Needs]] = {
    **ACTIONS,
    "s3": S3,
    "athena": ATHENA,
    "glue": GLUE,
    "sagemaker": SAGEMAKER,
    "sagemaker-runtime": RUNTIME,
}
DENIAL_CODES = {"s3": "AccessDenied", "sqs": "AccessDenied", "cloudwatch": "AccessDenied", "sts": "AccessDenied"}
DENIAL_CODES["sns"] = "AuthorizationError"
# A change to a role ends what is remembered of it.
CHANGES = ("Put", "Attach", "Detach", "Delete", "Create", "Update")


class UnmappedCallError(Exception):
    """A role made a call whose IAM actions are not known: add it to `offline.iam.actions`."""


class Guard:
    """Records and checks the calls of one account."""

    def __init__(self, region: Region, trail: Trail) -> None:
        self.region, self.trail = region, trail
        self.calls: list[Call] = []
        self._statements: dict[str, tuple[Statement, ...]] = {}
        self._covering: dict[tuple[str, str], tuple[Statement, ...]] = {}
        self._boundaries: dict[str, tuple[Statement, ...] | None] = {}

    def observe(self, params: Mapping[str, Any], model: Any, context: Mapping[str, Any]) -> None:
        """Record a call that is about to be made, and refuse it if its role may not make it."""
        service, operation = model.service_model.service_name, model.name
        role = context.get("kedge_role") or roles.current_role()
        if service == "iam" and operation.startswith(CHANGES):
            self.forget()
        if role == roles.ADMINISTRATOR:
            self._record(role, service, operation, f"{service}:{operation}", (), True)
            self.trail.record(role, service, operation, params, allowed=True)
            return
        needs = self._needs(service, operation, params)
        denied = next((reason for need in needs if (reason := self.reason_to_deny(role, need))), None)
        resources = tuple(dict.fromkeys(need.resource for need in needs))
        action = needs[0].action if needs else f"{service}:{operation}"
        self._record(role, service, operation, action, resources, denied is None)
        self.trail.record(role, service, operation, params, allowed=denied is None)
        if denied is not None:
            raise denial(service, operation, denied)

    def _needs(self, service: str, operation: str, params: Mapping[str, Any]) -> list[Need]:
        try:
            mapped = OPERATIONS[service][operation]
        except KeyError:
            raise UnmappedCallError(f"which IAM action does {service} {operation} need?") from None
        needs = mapped.of(params, self.region)
        if service == "sagemaker" and operation.startswith(("Stop", "Delete", "Update")):
            needs = [Need(n.action, n.resource, {**n.facts, **tags_of(self.region, n.resource)}) for n in needs]
        return needs + implied_needs(self.region, service, operation, params)

    def _record(
        self, role: str, service: str, operation: str, action: str, resources: tuple[str, ...], allowed: bool
    ) -> None:
        self.calls.append(Call(self.region.clock.now, role, service, operation, action, resources, allowed))

    def allows(self, role_arn: str, action: str, resource: str, facts: Mapping[str, Any] | None = None) -> bool:
        """Return whether a role may do this."""
        return self.reason_to_deny(role_arn, Need(action, resource, facts or {})) is None

    def require(self, role_arn: str, action: str, resource: str, facts: Mapping[str, Any] | None = None) -> None:
        """Record an action that a service takes as a role, and refuse it if the role may not."""
        reason = None
        if role_arn != roles.ADMINISTRATOR:
            reason = self.reason_to_deny(role_arn, Need(action, resource, facts or {}))
        service, operation = action.split(":")
        self._record(role_arn, service, operation, action, (resource,), reason is None)
        if reason is not None:
            raise denial(service, operation, reason)

    def require_service(
        self,
        principal: str,
        action: str,
        resource: str,
        *,
        source_arn: str = "",
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Record an action that a service takes in its own name, and refuse it unless the resource's policy lets it."""
        needs = [Need(action, resource, context or {}), *implied_needs(self.region, *_as_call(action, resource))]
        facts = {"aws:sourcearn": source_arn, "aws:sourceaccount": self.region.account_id}
        facts |= {"aws:sourceowner": self.region.account_id, "aws:securetransport": "true"}
        reason = next((reason for need in needs if (reason := self._service_reason(principal, need, facts))), None)
        service, operation = action.split(":")
        self._record(principal, service, operation, action, (resource,), reason is None)
        if reason is not None:
            raise denial(service, operation, reason)

    def _service_reason(self, principal: str, need: Need, facts: Mapping[str, Any]) -> str | None:
        policy = resource_policy(self.region, need.resource) or ()
        heard = [each for each in policy if each.names("Service", principal) and each.covers(need.action)]
        if decide(heard, need.resource, {**facts, **need.facts}) == "Allow":
            return None
        return f"{principal} is not authorized to perform: {need.action} on resource: {need.resource}"

    def reason_to_deny(self, role_arn: str, need: Need) -> str | None:
        """Return why a role may not do this, or None if it may."""
        facts = {**self.facts_of(role_arn), **need.facts}
        own = decide(self.statements_covering(role_arn, need.action), need.resource, facts)
        theirs = self._resource_verdict(role_arn, need, facts)
        who = f"{role_arn} is not authorized to perform: {need.action} on resource: {need.resource}"
        if "Deny" in (own, theirs):
            return f"{who} with an explicit deny in {'an identity' if own == 'Deny' else 'a resource'}-based policy"
        if self.inside_boundary(role_arn, need.action, need.resource, facts) is False:
            return f"{who} because no permissions boundary allows the {need.action} action"
        if need.action.startswith("kms:"):
            # A key's policy rules alone: identity policies count only where it lets the account's IAM decide.
            allowed = theirs == "Allow" or (theirs == "Delegate" and own == "Allow")
        else:
            allowed = own == "Allow" or theirs == "Allow"
        return None if allowed else f"{who} because no policy allows the {need.action} action"

    def _resource_verdict(self, role_arn: str, need: Need, facts: Mapping[str, Any]) -> str | None:
        policy = resource_policy(self.region, need.resource)
        if policy is None:
            return None
        root = f"arn:aws:iam::{self.region.account_id}:root"
        covering = [statement for statement in policy if statement.covers(need.action)]
        # What a policy says of the account's root denies everyone in it, and lets its IAM decide what to allow.
        verdicts = [
            (statement.effect, statement.names("AWS", role_arn))
            for statement in covering
            if (statement.names("AWS", role_arn) or statement.names("AWS", root))
            and statement.applies(need.resource, facts)
        ]
        if any(effect == "Deny" for effect, _ in verdicts):
            return "Deny"
        if any(named for _, named in verdicts):
            return "Allow"
        return "Delegate" if verdicts else None

    def facts_of(self, role_arn: str) -> dict[str, Any]:
        """Return what every request of a role tells of itself."""
        return {
            "aws:principalarn": role_arn,
            "aws:principalaccount": self.region.account_id,
            "aws:requestedregion": self.region.name,
            "aws:resourceaccount": self.region.account_id,
            "aws:sourceowner": self.region.account_id,
            "aws:securetransport": "true",
        }

    def statements_covering(self, role_arn: str, action: str) -> tuple[Statement, ...]:
        """Return the statements of a role's own policies that speak of an action."""
        known = self._covering.get((role_arn, action))
        if known is None:
            if role_arn not in self._statements:
                self._statements[role_arn] = self._statements_of(role_arn)
            known = tuple(each for each in self._statements[role_arn] if each.covers(action))
            self._covering[role_arn, action] = known
        return known

    def inside_boundary(self, role_arn: str, action: str, resource: str, facts: Mapping[str, Any]) -> bool | None:
        """Return whether a role's permissions boundary allows this; None where it has none."""
        if role_arn not in self._boundaries:
            arn = self._role(role_arn).permissions_boundary_arn
            policy = self.region.backend("iam").get_policy(arn) if arn else None
            self._boundaries[role_arn] = read_policy(_document(policy)) if policy else None
        boundary = self._boundaries[role_arn]
        if boundary is None:
            return None
        return decide([each for each in boundary if each.covers(action)], resource, facts) == "Allow"

    def require_trust(self, role_arn: str, principal: str) -> None:
        """Refuse a service that a role's trust policy does not let in."""
        trust = read_policy(self._role(role_arn).assume_role_policy_document)
        # Lambda takes its functions' roles without saying for whom.
        facts = {} if principal == "lambda.amazonaws.com" else {"aws:sourceaccount": self.region.account_id}
        heard = [each for each in trust if each.names("Service", principal) and each.covers("sts:AssumeRole")]
        if decide(heard, "*", facts) != "Allow":
            raise denial("sts", "AssumeRole", f"{role_arn} cannot be assumed by {principal}")

    def _role(self, role_arn: str) -> Any:
        role = next((role for role in self.region.backend("iam").roles.values() if role.arn == role_arn), None)
        if role is None:
            raise denial("sts", "AssumeRole", f"there is no role {role_arn}")
        return role

    def _statements_of(self, role_arn: str) -> tuple[Statement, ...]:
        role = self._role(role_arn)
        documents = [document for _, document in sorted(role.policies.items())]
        documents += [_document(policy) for policy in role.managed_policies.values()]
        return tuple(statement for document in documents for statement in read_policy(document))

    def forget(self) -> None:
        """Read every role's policies again when they are next needed."""
        self._statements.clear()
        self._covering.clear()
        self._boundaries.clear()


def _document(policy: Any) -> str:
    """Return what the default version of a managed policy says."""
    document: str = next(each.document for each in policy.versions if each.version_id == policy.default_version_id)
    return document


def denial(service: str, operation: str, message: str) -> ClientError:
    """Return the error by which a service says no."""
    error = {"Code": DENIAL_CODES.get(service, "AccessDeniedException"), "Message": message}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "denied"}}, operation)  # type: ignore[arg-type]


def _as_call(action: str, resource: str) -> tuple[str, str, dict[str, Any]]:
    service, operation = action.split(":")
    parameter = {"sqs": "QueueUrl", "sns": "TopicArn"}.get(service, "Resource")
    return service, operation, {parameter: resource.rsplit(":", 1)[-1] if service == "sqs" else resource}


def install(region: Region, guard: Guard) -> None:
    """Watch every boto3 call of this process for as long as the account is open, also of clients made before."""
    emit = BaseClient._emit_api_params

    def observed(client: Any, api_params: Any, operation_model: Any, context: Any) -> Any:
        params = emit(client, api_params, operation_model, context)
        guard.observe(params, operation_model, context)
        return params

    region.patch(BaseClient, "_emit_api_params", observed)
    # moto reads a bucket's policy without its conditions: "deny without TLS" would deny everyone. It is judged above.
    region.patch(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)
