"""The package that serves: the state table's `champion` item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.instants import from_text, to_text
from kedge.release.way_back import Kept
from lambdas.adapters.state import state_items

ITEM = "champion"


@dataclass(frozen=True)
class Champion:
    """A promoted package, the one that it replaced, to which a careful rollback goes, and those that are kept for the fast way back."""

    package_arn: str
    package_version: str
    baseline: str
    promoted_at: datetime
    training_end: datetime | None
    endpoint_config: str
    model_name: str
    previous_package_arn: str | None = None
    earlier: tuple[Kept, ...] = ()

    @property
    def kept(self) -> Kept:
        """What must be remembered of it so that it can serve again."""
        return Kept(
            package_arn=self.package_arn,
            package_version=self.package_version,
            baseline=self.baseline,
            endpoint_config=self.endpoint_config,
            model_name=self.model_name,
            training_end=self.training_end,
        )


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
    if champion.earlier:
        item["earlier"] = {"L": [{"M": kept_item(kept)} for kept in champion.earlier]}
    return item


def kept_item(kept: Kept) -> dict[str, Any]:
    """A kept package as a map of the state table."""
    facts = {"package_arn", "package_version", "baseline", "endpoint_config", "model_name"}
    item = {name: {"S": str(getattr(kept, name))} for name in sorted(facts)}
    return item | ({"training_end": {"S": to_text(kept.training_end)}} if kept.training_end else {})


def read_kept(item: Mapping[str, Any]) -> Kept:
    """Read such a map."""
    learnt_until = item.get("training_end")
    return Kept(
        package_arn=item["package_arn"]["S"],
        package_version=item["package_version"]["S"],
        baseline=item["baseline"]["S"],
        endpoint_config=item["endpoint_config"]["S"],
        model_name=item["model_name"]["S"],
        training_end=from_text(learnt_until["S"]) if learnt_until else None,
    )


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
        tuple(read_kept(kept["M"]) for kept in item.get("earlier", {}).get("L", ())),
    )
