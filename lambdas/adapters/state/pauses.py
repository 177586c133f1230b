"""A person's pause of a model's automatic retraining: the state table's `pause` item, which `windows` reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kedge.instants import to_text
from lambdas.adapters.state import state_items

ITEM = "pause"


def save(dynamodb: Any, table: str, model: str, *, reason: str, by: str, now: datetime) -> None:
    """Hold every automatic retraining of the model from now on."""
    facts = {"reason": {"S": reason}, "by": {"S": by}, "paused_at": {"S": to_text(now)}}
    state_items.put(dynamodb, table, {**_key(model), **facts})


def remove(dynamodb: Any, table: str, model: str) -> str | None:
    """Let automatic retraining go on; the reason it was paused for, or None where it was not."""
    known = dynamodb.delete_item(TableName=table, Key=_key(model), ReturnValues="ALL_OLD").get("Attributes")
    return state_items.read(known, lambda found: str(found["reason"]["S"])) if known else None


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, ITEM)
