"""The lease on a model: one machine at a time works on it, and a lease never outlives its holder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kedge.errors import LeaseHeldError
from kedge.instants import from_text, to_text
from lambdas.adapters import executions
from lambdas.adapters.state import state_items

# Between taking a lease and its execution being there, the taker may be this slow; after it, the taker has died.
START_GRACE = timedelta(minutes=10)


@dataclass(frozen=True)
class Lease:
    """Which execution works on a model, since when, and what for."""

    holder: str
    taken_at: datetime
    purpose: str


def take(dynamodb: Any, stepfunctions: Any, table: str, model: str, lease: Lease) -> None:
    """Take the lease for an execution that is about to start; one whose holder has ended is taken over.

    Raises `LeaseHeldError` while another execution holds it. Taking one's own lease again is no error. `taken_at` is the wall
    clock's: a message that comes again after hours still carries its old logical time, by which a lease that was taken
    a moment ago would look abandoned.
    """
    item = {
        **state_items.key(model, "lease"),
        "holder": {"S": lease.holder},
        "purpose": {"S": lease.purpose},
        "taken_at": {"S": to_text(lease.taken_at)},
    }
    if _put(dynamodb, table, item, allowed=lease.holder):
        return
    held = read(state_items.load(dynamodb, table, _key(model)))
    previous = held.holder if held else lease.holder
    if held and _alive(stepfunctions, previous, held.taken_at, lease.taken_at):
        raise LeaseHeldError(model=model, holder=previous, purpose=held.purpose)
    if not _put(dynamodb, table, item, allowed=previous):
        raise LeaseHeldError(model=model, holder="it has just begun", purpose="retraining or release")


def holder_at_work(
    dynamodb: Any, stepfunctions: Any, table: str, model: str, lease: Lease | None, *, now: datetime
) -> str | None:
    """The execution that works on the model now, or is about to; None where nobody does: a lease that its holder left is given back."""
    if lease is None:
        return None
    if _alive(stepfunctions, lease.holder, lease.taken_at, now):
        return lease.holder
    release(dynamodb, table, model=model, holder=lease.holder)
    return None


def read(item: Mapping[str, Any] | None) -> Lease | None:
    """Read the item; None where there is none."""
    return state_items.read(item, _lease) if item else None


def _lease(item: Mapping[str, Any]) -> Lease:
    return Lease(item["holder"]["S"], from_text(item["taken_at"]["S"]), item["purpose"]["S"])


def release(dynamodb: Any, table: str, *, model: str, holder: str) -> None:
    """Give the lease back; another holder's is left alone."""
    state_items.delete_if(dynamodb, table, _key(model), "#holder = :holder", holder={"S": holder})


def _put(dynamodb: Any, table: str, item: dict[str, Any], *, allowed: str) -> bool:
    condition = "attribute_not_exists(#holder) OR #holder = :allowed"
    return state_items.put_if(dynamodb, table, item, condition, allowed={"S": allowed})


def _alive(stepfunctions: Any, holder: str, taken_at: datetime, now: datetime) -> bool:
    found = executions.status(stepfunctions, holder)
    return found == "RUNNING" or (found is None and now - taken_at < START_GRACE)


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, "lease")
