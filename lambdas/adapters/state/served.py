"""Which packages have answered requests lately: the champion, and whatever was tried beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kedge.instants import from_text, to_text
from lambdas.adapters.state import state_items

# Long enough for the latest capture file of a canary to arrive after it was rolled back.
REMEMBERED = timedelta(days=7)


def save(dynamodb: Any, table: str, model: str, package_version: str, *, since: datetime) -> None:
    """Remember that a package is about to answer requests."""
    item = {
        **state_items.key(model, f"{state_items.SERVED}{package_version}"),
        "since": {"S": to_text(since)},
        "expires_at": {"N": str(int((since + REMEMBERED).timestamp()))},
    }
    state_items.put(dynamodb, table, item)


def _since(item: Mapping[str, Any]) -> datetime:
    return from_text(item["since"]["S"])


def load(dynamodb: Any, table: str, model: str, *, now: datetime) -> list[str]:
    """Versions of the packages that began to answer within the last week."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="model = :model AND begins_with(#item, :prefix)",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":model": {"S": model}, ":prefix": {"S": state_items.SERVED}},
    )
    # DynamoDB may take days to remove what has expired.
    items = [item for page in pages for item in page["Items"]]
    recent = [item for item in items if state_items.read(item, _since) >= now - REMEMBERED]
    return sorted(item["item"]["S"].removeprefix(state_items.SERVED) for item in recent)
