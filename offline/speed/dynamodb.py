"""DynamoDB reads that cost what they return: the same answers as moto's, which walks and sorts a whole table for each.

moto compares the hash key of every item with the asked one for a Query, sorts what it found twice, and writes each
answer by walking the service's model attribute by attribute. Here a Query walks only its own partition and range, one of
an index only what is in it, and an answer, which is JSON already, is written as it is.
"""

from __future__ import annotations

import base64
import copy
import inspect
import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import get_comparison_func
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

# Their answers hold nothing that the model would leave out or rename.
PLAIN = ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")


# Where moto's own Query is told of an index.
INDEX_NAME = list(inspect.signature(Table.query).parameters).index("index_name")


def query(*asked: Any, **named: Any) -> Any:
    """Answer a Query of the table from the items that its key condition names, and one of an index from those that are in it."""
    table, hash_key, comparison, values, *others = asked
    if not table.range_key_attr:
        return _query(*asked, **named)
    narrow = copy.copy(table)
    if (index := asked[INDEX_NAME]) is not None:
        narrow.items = _in_index(table, index)
        return _query(narrow, *asked[1:], **named)
    partition = table.items.get(hash_key, {})
    narrow.items = {hash_key: _within(partition, comparison, values) if comparison else partition}
    return _query(narrow, hash_key, comparison, values, *others, **named)


_query = Table.query


def _in_index(table: Any, name: str) -> dict[Any, Any]:
    """The items that have every key of an index: it knows no others. All, where there is no such index."""
    keys = [key["AttributeName"] for index in table.all_indexes() if index.name == name for key in index.schema]
    return {
        partition: found
        for partition, items in table.items.items()
        if (found := {name: item for name, item in items.items() if all(key in item.attrs for key in keys)})
    }


def _within(partition: dict[Any, Any], comparison: str, values: list[Any]) -> dict[Any, Any]:
    if all(key.type == "S" for key in (*partition, *values)):
        # moto casts the values anew for each item; text is compared as it is.
        compare, bounds = get_comparison_func(comparison), [value.value for value in values]
        return {key: item for key, item in partition.items() if compare(key.value, *bounds)}
    return {key: item for key, item in partition.items() if key.compare(comparison, values)}


def serialized(response: DynamoHandler, answer: ActionResult) -> Any:
    """Write an answer as moto does, and one that is plain JSON in one go."""
    if response._get_action() in PLAIN and isinstance(answer.result, dict):
        said = {name: value for name, value in answer.result.items() if value is not None}
        headers = {"Content-Type": "application/x-amz-json-1.0", **response.response_headers}
        return 200, headers, json.dumps(said, default=_binary)
    return _serialized(response, answer)


_serialized = DynamoHandler.serialized


def _binary(value: bytes) -> str:
    return base64.b64encode(value).decode()


def install(patch: Callable[[Any, str, Any], None]) -> None:
    """Shorten both, by a way to replace an attribute."""
    patch(Table, "query", query)
    patch(DynamoHandler, "serialized", serialized)
