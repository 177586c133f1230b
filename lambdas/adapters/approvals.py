"""What people decided about packages, as far as it was acted on: the state table's `approval#` items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.times import from_text, to_text


@dataclass(frozen=True)
class Approval:
    """The last status acted on, and how many times the package has been approved."""

    status: str
    approvals: int


def load(dynamodb: Any, table: str, model: str, package_version: str) -> Approval:
    """Read what was last acted on; a package that nobody has decided about is pending."""
    item = dynamodb.get_item(TableName=table, Key=_key(model, package_version), ConsistentRead=True).get("Item")
    if item is None:
        return Approval("PendingManualApproval", 0)
    return Approval(item["status"]["S"], int(item["approvals"]["N"]))


def save(dynamodb: Any, table: str, model: str, package_version: str, approval: Approval) -> None:
    """Remember what was acted on: SageMaker tells of metadata changes with the same event."""
    facts = {"status": {"S": approval.status}, "approvals": {"N": str(approval.approvals)}}
    dynamodb.put_item(TableName=table, Item=_key(model, package_version) | facts)


@dataclass(frozen=True)
class Waiting:
    """An approved package that waits until nobody works on its model."""

    package_arn: str
    package_version: str
    decided_at: datetime


def wait(dynamodb: Any, table: str, model: str, waiting: Waiting) -> Waiting | None:
    """Let a package wait; of two, the one that was approved later waits, and the other one is returned.

    The same package may wait again, which returns None.
    """
    before = load_waiting(dynamodb, table, model)
    if before is not None and before.package_arn != waiting.package_arn and before.decided_at > waiting.decided_at:
        return waiting
    item = {
        **_waiting_key(model),
        "package_arn": {"S": waiting.package_arn},
        "package_version": {"S": waiting.package_version},
        "decided_at": {"S": to_text(waiting.decided_at)},
    }
    try:
        dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(package_arn) OR package_arn = :read",
            ExpressionAttributeValues={":read": {"S": before.package_arn if before else waiting.package_arn}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return wait(dynamodb, table, model, waiting)
        raise
    return before if before is not None and before.package_arn != waiting.package_arn else None


def load_waiting(dynamodb: Any, table: str, model: str) -> Waiting | None:
    """The package that waits; None where none does."""
    item = dynamodb.get_item(TableName=table, Key=_waiting_key(model), ConsistentRead=True).get("Item")
    if item is None:
        return None
    return Waiting(item["package_arn"]["S"], item["package_version"]["S"], from_text(item["decided_at"]["S"]))


def forget_waiting(dynamodb: Any, table: str, model: str, package_arn: str) -> None:
    """End the waiting of this package; another one goes on waiting."""
    try:
        dynamodb.delete_item(
            TableName=table,
            Key=_waiting_key(model),
            ConditionExpression="attribute_not_exists(package_arn) OR package_arn = :arn",
            ExpressionAttributeValues={":arn": {"S": package_arn}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def _waiting_key(model: str) -> dict[str, dict[str, str]]:
    return {"model": {"S": model}, "item": {"S": "waiting_release"}}


def _key(model: str, package_version: str) -> dict[str, dict[str, str]]:
    return {"model": {"S": model}, "item": {"S": f"approval#{package_version}"}}
