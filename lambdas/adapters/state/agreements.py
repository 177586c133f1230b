"""When champion item and endpoint were last found to agree: the state table's `compared` item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.instants import from_text, to_text
from kedge.release.serving import Agreement
from lambdas.adapters.state import state_items

ITEM = "compared"


def save(dynamodb: Any, table: str, model: str, agreement: Agreement) -> None:
    """Remember what was found."""
    item = {
        **state_items.key(model, ITEM),
        "endpoint_config": {"S": agreement.endpoint_config},
        # To the fraction of a second that SageMaker tells: another change may follow in the same second.
        "modified_at": {"S": agreement.modified_at.isoformat()},
        "seen_at": {"S": to_text(agreement.seen_at)},
    }
    if agreement.instances is not None:
        item["instances"] = {"N": str(agreement.instances)}
    state_items.put(dynamodb, table, item)


def forget(dynamodb: Any, table: str, model: str) -> None:
    """Forget it: the endpoint was changed by a release since."""
    dynamodb.delete_item(TableName=table, Key=state_items.key(model, ITEM))


def read(item: Mapping[str, Any] | None) -> Agreement | None:
    """Read the item; None where they were never found to agree."""
    return state_items.read(item, _agreement) if item is not None else None


def _agreement(item: Mapping[str, Any]) -> Agreement:
    return Agreement(
        endpoint_config=item["endpoint_config"]["S"],
        modified_at=from_text(item["modified_at"]["S"]),
        seen_at=from_text(item["seen_at"]["S"]),
        instances=int(item["instances"]["N"]) if "instances" in item else None,
    )
