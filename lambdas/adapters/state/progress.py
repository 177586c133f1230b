"""How far the profiling of a model has come, and the expiry of its captures: two small items of the state table."""

from __future__ import annotations

from datetime import date, datetime
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


def load_expired(dynamodb: Any, table: str, model: str) -> date | None:
    """The last day up to which captures were deleted; None where none were."""
    item = state_items.load(dynamodb, table, state_items.key(model, "expired"))
    return state_items.read(item, lambda found: date.fromisoformat(found["day"]["S"])) if item else None


def save_expired(dynamodb: Any, table: str, model: str, day: date) -> None:
    """Remember that a day's captures were deleted."""
    state_items.put(dynamodb, table, state_items.key(model, "expired") | {"day": {"S": day.isoformat()}})


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, "profiled")
