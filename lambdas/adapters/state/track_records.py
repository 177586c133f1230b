"""What became of a model's estimates: the state table's `estimates` item."""

from __future__ import annotations

import json
from typing import Any

from kedge.estimation.track_record import TrackRecord


def load(dynamodb: Any, table: str, model: str) -> TrackRecord:
    """The model's record; an empty one where no estimate has been checked."""
    item = dynamodb.get_item(TableName=table, Key=_key(model), ConsistentRead=True).get("Item")
    return TrackRecord.from_json(json.loads(item["record"]["S"])) if item else TrackRecord()


def save(dynamodb: Any, table: str, model: str, record: TrackRecord) -> None:
    """Remember the record."""
    dynamodb.put_item(TableName=table, Item={**_key(model), "record": {"S": json.dumps(record.to_json())}})


def _key(model: str) -> dict[str, dict[str, str]]:
    return {"model": {"S": model}, "item": {"S": "estimates"}}
