"""Items of the state table for many models, or many of one model, in few calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_TOGETHER = 100  # BatchGetItem takes at most this many keys

Item = dict[str, Any]


def load_items(dynamodb: Any, table: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
    """Read the items with these keys (model and item), a hundred in a call; one that does not exist is left out."""
    found: list[Item] = []
    for start in range(0, len(keys), _TOGETHER):
        wanted = [{"model": {"S": model}, "item": {"S": item}} for model, item in keys[start : start + _TOGETHER]]
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": wanted, "ConsistentRead": True}})
        found += answer["Responses"].get(table, [])
        # DynamoDB leaves out what is too much for it just now. One by one, each is tried again with growing waits.
        for key in answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []):
            item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
            found += [item] if item else []
    return {(item["model"]["S"], item["item"]["S"]): item for item in found}


def load_stretch(dynamodb: Any, table: str, model: str, first: str, last: str) -> list[Item]:
    """Read a model's items whose names lie between two names, both included: one Query."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="model = :model AND #item BETWEEN :first AND :last",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":model": {"S": model}, ":first": {"S": first}, ":last": {"S": last}},
    )
    return [item for page in pages for item in page["Items"]]
