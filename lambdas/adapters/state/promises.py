"""What the gate promised of the package that serves, held against its first windows: the state table's `promise` item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.release.promise import Promise
from lambdas.adapters.state import state_items
from lambdas.adapters.state.state_items import Item

ITEM = "promise"


def save(dynamodb: Any, table: str, model: str, promise: Promise) -> None:
    """Remember how it stands."""
    item = {
        **state_items.key(model, ITEM),
        "endpoint_config": {"S": promise.endpoint_config},
        "windows": {"L": [{"S": end} for end in promise.windows]},
        "broken": {"L": [{"S": reason} for reason in promise.broken]},
    }
    if promise.broken:
        item[state_items.WAITS] = {"S": state_items.SETTLE}
    state_items.put(dynamodb, table, item)


def load(dynamodb: Any, table: str, model: str) -> Promise | None:
    """How it stands; None where no window was held against it yet."""
    return read(state_items.load(dynamodb, table, state_items.key(model, ITEM)))


def read(item: Item | None) -> Promise | None:
    """Read the item; None where there is none."""
    return state_items.read(item, _promise) if item else None


def _promise(item: Mapping[str, Any]) -> Promise:
    windows, broken = (tuple(each["S"] for each in item[name]["L"]) for name in ("windows", "broken"))
    return Promise(item["endpoint_config"]["S"], windows, broken)
