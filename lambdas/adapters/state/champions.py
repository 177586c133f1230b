"""The package that serves: the state table's `champion` item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items

ITEM = "champion"


@dataclass(frozen=True)
class Champion:
    """A promoted package, and the one that it replaced, to which a rollback goes."""

    package_arn: str
    package_version: str
    baseline: str
    promoted_at: datetime
    training_end: datetime | None
    endpoint_config: str
    model_name: str
    previous_package_arn: str | None = None


def replace(dynamodb: Any, table: str, model: str, champion: Champion, *, before: Champion | None) -> bool:
    """Let the item name this champion if it still names the one before; False where another run was faster."""
    condition = "attribute_not_exists(#endpoint_config) OR #endpoint_config = :before"
    known = {"S": before.endpoint_config if before else ""}
    return state_items.put_if(dynamodb, table, _item(model, champion), condition, before=known)


def save(dynamodb: Any, table: str, model: str, champion: Champion) -> None:
    """Let the item name this champion."""
    state_items.put(dynamodb, table, _item(model, champion))


def _item(model: str, champion: Champion) -> dict[str, Any]:
    item: dict[str, Any] = {
        **state_items.key(model, ITEM),
        "package_arn": {"S": champion.package_arn},
        "package_version": {"S": champion.package_version},
        "baseline": {"S": champion.baseline},
        "promoted_at": {"S": to_text(champion.promoted_at)},
        "endpoint_config": {"S": champion.endpoint_config},
        "model_name": {"S": champion.model_name},
    }
    if champion.training_end is not None:
        item["training_end"] = {"S": to_text(champion.training_end)}
    if champion.previous_package_arn is not None:
        item["previous_package_arn"] = {"S": champion.previous_package_arn}
    return item


def load(dynamodb: Any, table: str, model: str) -> Champion | None:
    """Read the champion; None where the model is not deployed yet."""
    key = state_items.key(model, ITEM)
    return read(state_items.load(dynamodb, table, key))


def load_many(dynamodb: Any, table: str, models: Sequence[str]) -> dict[str, Champion]:
    """Read many models' champions; one that is not deployed yet is left out."""
    items = state_items.load_items(dynamodb, table, [(model, ITEM) for model in models])
    return {model: champion for (model, _), item in items.items() if (champion := read(item)) is not None}


def read(item: Mapping[str, Any] | None) -> Champion | None:
    """Read the item; None where there is none."""
    return state_items.read(item, _champion) if item is not None else None


def _champion(item: Mapping[str, Any]) -> Champion:
    facts = {name: value["S"] for name, value in item.items() if isinstance(value, dict) and "S" in value}
    return Champion(
        facts["package_arn"],
        facts["package_version"],
        facts["baseline"],
        from_text(facts["promoted_at"]),
        from_text(facts["training_end"]) if "training_end" in facts else None,
        facts["endpoint_config"],
        facts["model_name"],
        facts.get("previous_package_arn"),
    )
