"""How far the profiling of a model has come: one small item of the state table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items


def load_profiled(dynamodb: Any, table: str, model: str) -> datetime | None:
    """The time of the newest run that left nothing uncounted; None where there was none."""
    item = dynamodb.get_item(TableName=table, Key=_key(model), ConsistentRead=True).get("Item")
    return state_items.read(item, lambda found: from_text(found["time"]["S"])) if item else None


def save_profiled(dynamodb: Any, table: str, model: str, time: datetime) -> None:
    """Remember such a run; one for an earlier time says nothing new."""
    try:
        dynamodb.put_item(
            TableName=table,
            Item=state_items.marked(_key(model) | {"time": {"S": to_text(time)}}),
            ConditionExpression="attribute_not_exists(#time) OR #time < :time",
            ExpressionAttributeNames={"#time": "time"},
            ExpressionAttributeValues={":time": {"S": to_text(time)}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def _key(model: str) -> dict[str, dict[str, str]]:
    return {"model": {"S": model}, "item": {"S": "profiled"}}
