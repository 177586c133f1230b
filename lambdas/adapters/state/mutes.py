"""A person's mute of a model's messages, until a time: the state table's `mute` item."""

from __future__ import annotations

from typing import Any

from kedge.alerts.holding import Mute
from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items
from lambdas.adapters.state.state_items import Item

ITEM = "mute"


def save(dynamodb: Any, table: str, model: str, mute: Mute) -> None:
    """Send no message of the model until then."""
    facts = {"until": {"S": to_text(mute.until)}, "reason": {"S": mute.reason}, "by": {"S": mute.by}}
    state_items.put(dynamodb, table, {**state_items.key(model, ITEM), **facts})


def load(dynamodb: Any, table: str, model: str) -> Mute | None:
    """The mute, which may be over; None where nobody muted the model."""
    return read(state_items.load(dynamodb, table, state_items.key(model, ITEM)))


def remove(dynamodb: Any, table: str, model: str) -> Mute | None:
    """Take the mute away, and return it; None where there was none."""
    key = state_items.key(model, ITEM)
    return read(dynamodb.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD").get("Attributes"))


def read(item: Item | None) -> Mute | None:
    """The mute of an item."""
    if not item:
        return None
    return state_items.read(item, lambda f: Mute(from_text(f["until"]["S"]), f["reason"]["S"], f["by"]["S"]))
