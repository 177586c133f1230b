"""What people decided about packages, as far as it was acted on: the state table's `approval#` items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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


def _key(model: str, package_version: str) -> dict[str, dict[str, str]]:
    return {"model": {"S": model}, "item": {"S": f"approval#{package_version}"}}
