"""How far the profiling of a model has come: a small item of the state table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items


def load_profiled(dynamodb: Any, table: str, model: str) -> datetime | None:
    """The time of the newest run that left nothing uncounted; None where there was none."""
    item = state_items.load(dynamodb, table, _key(model))
    return state_items.read(item, lambda found: from_text(found["time"]["S"])) if item else None


def save_profiled(dynamodb: Any, table: str, model: str, time: datetime) -> None:
    """Remember such a run; one for an earlier time says nothing new."""
    fact = {"S": to_text(time)}
    condition = "attribute_not_exists(#time) OR #time < :time"
    state_items.put_if(dynamodb, table, _key(model) | {"time": fact}, condition, time=fact)


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, "profiled")
