"""What people decided about packages, as far as it was acted on: the state table's `approval#` items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.adapters.times import from_text, to_text


@dataclass(frozen=True)
class Approval:
    """The last status acted on, how many times the package has been approved, and the registry's time of what was acted on."""

    status: str
    approvals: int
    changed_at: datetime | None = None


def load(dynamodb: Any, table: str, model: str, package_version: str) -> Approval:
    """Read what was last acted on; a package that nobody has decided about is pending."""
    item = dynamodb.get_item(TableName=table, Key=_key(model, package_version), ConsistentRead=True).get("Item")
    if item is None:
        return Approval("PendingManualApproval", 0)
    changed_at = from_text(item["changed_at"]["S"]) if "changed_at" in item else None
    return Approval(item["status"]["S"], int(item["approvals"]["N"]), changed_at)


def save(dynamodb: Any, table: str, model: str, package_version: str, approval: Approval) -> None:
    """Remember what was acted on: SageMaker tells of metadata changes with the same event."""
    facts = {"status": {"S": approval.status}, "approvals": {"N": str(approval.approvals)}}
    if approval.changed_at is not None:
        facts["changed_at"] = {"S": to_text(approval.changed_at)}
    dynamodb.put_item(TableName=table, Item=_key(model, package_version) | facts)


def _key(model: str, package_version: str) -> dict[str, dict[str, str]]:
    return {"model": {"S": model}, "item": {"S": f"approval#{package_version}"}}
