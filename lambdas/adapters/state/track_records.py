"""What became of a model's estimates: the state table's `estimates` item."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kedge.estimation.track_record import TrackRecord
from lambdas.adapters.state import state_items


def load(dynamodb: Any, table: str, model: str) -> TrackRecord:
    """The model's record; an empty one where no estimate has been checked."""
    item = state_items.load(dynamodb, table, _key(model))
    return state_items.read(item, _record) if item else TrackRecord()


def _record(item: Mapping[str, Any]) -> TrackRecord:
    return TrackRecord.from_json(json.loads(item["record"]["S"]))


def save(dynamodb: Any, table: str, model: str, record: TrackRecord) -> None:
    """Remember the record."""
    item = {**_key(model), "record": {"S": json.dumps(record.to_json())}}
    state_items.put(dynamodb, table, item)


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, "estimates")
