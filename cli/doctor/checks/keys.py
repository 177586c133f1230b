"""Whether Kedge's key can be used: by roles through IAM, and by the alarms that publish to encrypted topics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok
from cli.operator.deployment import STORAGE
from lambdas.stage import current

KEY = "AWS::KMS::Key"
ALARMS = "cloudwatch.amazonaws.com"


def check(installation: Installation) -> Iterator[Finding]:
    """Describe the key and read its policy."""
    kms = installation.client("kms")
    for resource in installation.resources(KEY):
        described = kms.describe_key(KeyId=resource.physical_id)["KeyMetadata"]
        yield state(described)
        policy = json.loads(kms.get_key_policy(KeyId=resource.physical_id, PolicyName="default")["Policy"])
        yield from lets_in(described["Arn"], policy["Statement"], account=described["AWSAccountId"])


def state(key: Mapping[str, Any]) -> Finding:
    """Whether the key is enabled."""
    arn = key["Arn"]
    if key["KeyState"] == "Enabled":
        return ok(arn, "enabled")
    remedy = f"aws kms enable-key --key-id {arn}"
    if key["KeyState"] == "PendingDeletion":
        remedy = f"aws kms cancel-key-deletion --key-id {arn}, then {remedy}"
    return failed(arn, f"the key is {key['KeyState']}: data, state and topics cannot be read without it", remedy)


def lets_in(arn: str, statements: Sequence[Mapping[str, Any]], *, account: str) -> Iterator[Finding]:
    """Whether the policy lets IAM decide, and lets alarms publish."""
    remedy = f"CloudFormation console > {current().named(STORAGE)} > Stack actions > Detect drift shows what the key's policy was"
    if not any(f":{account}:root" in _principals(each, "AWS") and _allows(each, "kms:*") for each in statements):
        yield failed(arn, "the key's policy does not let the account's roles use it", remedy)
    alarms = [each for each in statements if ALARMS in _principals(each, "Service")]
    wanted = ("kms:Decrypt", "kms:GenerateDataKey")
    if all(any(_allows(each, action) for each in alarms) for action in wanted):
        yield ok(arn, "alarms may publish to the encrypted topics")
    else:
        yield failed(
            arn, "the key's policy does not let alarms publish: they change state, and nobody gets a message", remedy
        )


def _principals(statement: Mapping[str, Any], kind: str) -> str:
    principal = statement.get("Principal", {})
    return json.dumps(principal.get(kind, "") if isinstance(principal, Mapping) else principal)


def _allows(statement: Mapping[str, Any], action: str) -> bool:
    actions = statement.get("Action", [])
    several = [actions] if isinstance(actions, str) else actions
    return statement.get("Effect") == "Allow" and any(each in (action, f"{action}*", "kms:*") for each in several)
