"""What became of each message on each channel: the state table's `delivery` and `incident` items.

An incident is held by one try at a time, so that its messages go out one after the other: the first one begins the
thread of a chat, and a pager hears the end last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items
from lambdas.adapters.state.state_items import Item

# A message may lie in its queue for 14 days, and with the dead letters for 14.
KEEP_DELIVERY, KEEP_INCIDENT = timedelta(days=30), timedelta(days=400)


@dataclass(frozen=True)
class Delivery:
    """How far a message has come.

    Attributes
    ----------
    accepted : bool
        Whether the service has certainly taken it.
    uncertain : bool
        Whether it may have taken it: a try has begun, and its answer is not known.
    buried : str
        Id of the copy that lies among the dead letters, as its queue named it.
    """

    accepted: bool = False
    uncertain: bool = False
    buried: str = ""


@dataclass(frozen=True)
class Heard:
    """What a channel has heard of an incident.

    Attributes
    ----------
    newest : datetime
        Time of the newest message.
    resolved : bool
        Whether that one says that it is over.
    thread : str
        Where a chat's answers go.
    held_until : datetime or None
        When the try that holds it is over at the latest.
    """

    newest: datetime
    resolved: bool
    thread: str = ""
    held_until: datetime | None = None


def load(dynamodb: Any, table: str, key: tuple[str, str, str]) -> Delivery:
    """How far the message with this key (model, channel, id) has come; not at all where nothing was tried."""
    model, channel, message = key
    item = state_items.load(dynamodb, table, _key(model, "delivery", channel, message))
    return state_items.read(item, _delivery) if item else Delivery()


def save(dynamodb: Any, table: str, key: tuple[str, str, str], delivery: Delivery, *, now: datetime) -> None:
    """Remember how far the message with this key (model, channel, id) has come."""
    model, channel, message = key
    facts = {
        "accepted": {"BOOL": delivery.accepted},
        "uncertain": {"BOOL": delivery.uncertain},
        "buried": {"S": delivery.buried},
    }
    item = {**_key(model, "delivery", channel, message), **facts, **_expires(now + KEEP_DELIVERY)}
    state_items.put(dynamodb, table, item)


def load_incident(dynamodb: Any, table: str, key: tuple[str, str, str]) -> tuple[Heard | None, int]:
    """What a channel has heard of the incident with this key (model, channel, name), and how often that was written."""
    model, channel, name = key
    item = state_items.load(dynamodb, table, _key(model, "incident", channel, _digest(name)))
    return state_items.read(item, _incident) if item else (None, 0)


def save_incident(
    dynamodb: Any, table: str, key: tuple[str, str, str], incident: Heard, *, revision: int, now: datetime
) -> bool:
    """Replace what the channel has heard of the incident with this key (model, channel, name), if it is as it was read."""
    model, channel, name = key
    item = {
        **_key(model, "incident", channel, _digest(name)),
        "newest": {"S": to_text(incident.newest)},
        "resolved": {"BOOL": incident.resolved},
        "thread": {"S": incident.thread},
        "held_until": {"S": to_text(incident.held_until) if incident.held_until else ""},
        "revision": {"N": str(revision + 1)},
        **_expires(now + KEEP_INCIDENT),
    }
    condition = "attribute_not_exists(#revision) OR #revision = :read"
    return state_items.put_if(dynamodb, table, item, condition, read={"N": str(revision)})


def _delivery(item: Mapping[str, Any]) -> Delivery:
    return Delivery(item["accepted"]["BOOL"], item["uncertain"]["BOOL"], item.get("buried", {}).get("S", ""))


def _incident(item: Mapping[str, Any]) -> tuple[Heard, int]:
    held = item["held_until"]["S"]
    incident = Heard(
        from_text(item["newest"]["S"]),
        item["resolved"]["BOOL"],
        item["thread"]["S"],
        from_text(held) if held else None,
    )
    return incident, int(item["revision"]["N"])


def _expires(when: datetime) -> Item:
    return {"expires_at": {"N": str(int(when.timestamp()))}}


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _key(model: str, kind: str, channel: str, name: str) -> Item:
    return state_items.key(model, f"{kind}#{channel}#{name}")
