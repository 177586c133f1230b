"""What people decided about packages, as far as it was acted on: the state table's `approval#` items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items


@dataclass(frozen=True)
class Approval:
    """The last status acted on, how many times the package has been approved, the registry's time of it, and who approved."""

    status: str
    approvals: int
    decided_at: datetime | None = None
    # Of a model that wants two: who has approved since the last decision against it, and the comment of the last approval.
    people: tuple[str, ...] = ()
    comment: str = ""


def load(dynamodb: Any, table: str, model: str, package_version: str) -> Approval:
    """Read what was last acted on; a package that nobody has decided about is pending."""
    item = state_items.load(dynamodb, table, _key(model, package_version))
    return state_items.read(item, _approval) if item else Approval("PendingManualApproval", 0)


def _approval(item: Mapping[str, Any]) -> Approval:
    decided_at = from_text(item["decided_at"]["S"]) if "decided_at" in item else None
    people = tuple(name["S"] for name in item.get("people", {}).get("L", []))
    comment = item.get("comment", {}).get("S", "")
    return Approval(item["status"]["S"], int(item["approvals"]["N"]), decided_at, people, comment)


def save(dynamodb: Any, table: str, model: str, package_version: str, approval: Approval) -> None:
    """Remember what was acted on: SageMaker tells of metadata changes with the same event."""
    facts: dict[str, Any] = {"status": {"S": approval.status}, "approvals": {"N": str(approval.approvals)}}
    if approval.decided_at is not None:
        facts["decided_at"] = {"S": to_text(approval.decided_at)}
    if approval.people:
        facts |= {"people": {"L": [{"S": name} for name in approval.people]}, "comment": {"S": approval.comment}}
    state_items.put(dynamodb, table, _key(model, package_version) | facts)


@dataclass(frozen=True)
class Waiting:
    """An approved package that waits until nobody works on its model."""

    package_arn: str
    package_version: str
    decided_at: datetime


def wait(dynamodb: Any, table: str, model: str, waiting: Waiting) -> tuple[Waiting, Waiting | None]:
    """Let the package that was approved last wait; return it, and the one that gave way to it."""
    before = load_waiting(dynamodb, table, model)
    item = {
        **_waiting_key(model),
        "package_arn": {"S": waiting.package_arn},
        "package_version": {"S": waiting.package_version},
        "decided_at": {"S": to_text(waiting.decided_at)},
    }
    # Two approvals may be heard at once. The times are of one form, so that as texts they compare as times.
    condition = "attribute_not_exists(#decided_at) OR #decided_at <= :decided_at"
    if not state_items.put_if(dynamodb, table, item, condition, decided_at=item["decided_at"]):
        newer = load_waiting(dynamodb, table, model)
        return (newer, waiting) if newer is not None else wait(dynamodb, table, model, waiting)
    return waiting, before if before is not None and before.package_arn != waiting.package_arn else None


def load_waiting(dynamodb: Any, table: str, model: str) -> Waiting | None:
    """The package that waits; None where none does."""
    return read_waiting(state_items.load(dynamodb, table, _waiting_key(model)))


def read_waiting(item: Mapping[str, Any] | None) -> Waiting | None:
    """Read the item; None where there is none."""
    return state_items.read(item, _waiting) if item is not None else None


def _waiting(item: Mapping[str, Any]) -> Waiting:
    return Waiting(item["package_arn"]["S"], item["package_version"]["S"], from_text(item["decided_at"]["S"]))


def forget_waiting(dynamodb: Any, table: str, model: str, package_arn: str) -> None:
    """End the waiting of this package; another one goes on waiting."""
    condition = "attribute_not_exists(#package_arn) OR #package_arn = :arn"
    state_items.delete_if(dynamodb, table, _waiting_key(model), condition, arn={"S": package_arn})


def _waiting_key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, state_items.WAITING_RELEASE)


def _key(model: str, package_version: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, f"{state_items.APPROVAL}{package_version}")
