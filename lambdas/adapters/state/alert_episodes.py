"""A model's latest episode of alarms: the state table's `alert_episode` item, replaced only as it was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kedge.alerts.episode import Alarm, AlertEpisode, News
from kedge.instants import from_text, to_text
from kedge.severity import Severity
from kedge.stored import build
from lambdas.adapters.state import state_items
from lambdas.adapters.state.state_items import Item

_TIMES = ("first_start", "since", "until", "told", "ended", "opened")


def load(dynamodb: Any, table: str, model: str) -> tuple[AlertEpisode | None, int]:
    """The episode and how often it has been written; None and 0 where the model has never alarmed."""
    item = state_items.load(dynamodb, table, _key(model))
    return read(item)


def save(dynamodb: Any, table: str, model: str, episode: AlertEpisode, *, revision: int) -> bool:
    """Replace the episode if it still is what was read at this revision; False where another run was faster."""
    fields = asdict(episode)
    fields |= {name: to_text(fields[name]) for name in _TIMES if fields[name] is not None}
    fields["alarms"] = {name: [alarm.severity, to_text(alarm.last)] for name, alarm in episode.alarms.items()}
    item = {**_key(model), "episode": {"S": json.dumps(fields)}, "revision": {"N": str(revision + 1)}}
    condition = "attribute_not_exists(#revision) OR #revision = :read"
    return state_items.put_if(dynamodb, table, item, condition, read={"N": str(revision)})


def read(item: Item | None) -> tuple[AlertEpisode | None, int]:
    """Read the item; None and 0 where there is none."""
    return state_items.read(item, _read) if item is not None else (None, 0)


def _read(item: Mapping[str, Any]) -> tuple[AlertEpisode, int]:
    return _episode(json.loads(item["episode"]["S"])), int(item["revision"]["N"])


def _episode(fields: dict[str, Any]) -> AlertEpisode:
    times: dict[str, datetime] = {name: from_text(fields[name]) for name in _TIMES if fields.get(name) is not None}
    alarms = {name: Alarm(Severity(severity), from_text(last)) for name, (severity, last) in fields["alarms"].items()}
    untold = fields.get("untold")
    news = News(untold["kind"], tuple(untold["fresh"])) if untold else None
    return build(AlertEpisode, fields | times | {"alarms": alarms, "untold": news})


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, "alert_episode")
