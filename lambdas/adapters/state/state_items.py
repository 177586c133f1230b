"""The state table: how an item is named, read in any version, and written or deleted on a condition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from kedge.errors import EncodingError
from kedge.stored import Form

T = TypeVar("T")
Item = dict[str, Any]

_DELETE = "delete the item:"
_SETTLED = "delete the item once nothing is under way: the hourly reconciliation settles the endpoint"
# What an item's name begins with where a model has several of the kind; the end, the run or the package follows.
APPROVAL, SERVED, START, TOLD, UNTOLD, WINDOW = "approval#", "served#", "start#", "told#", "untold#", "window#"
# The one item of its kind, where several files read it.
LEASE, PAUSE, RELEASE, WAITING_RELEASE = "lease", "pause", "release", "waiting_release"
# The kinds of items that a version is read of, by their name up to "#".
FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form("alert_episode", f"{_DELETE} the next window that alarms begins an episode"),
        Form("approval", f"{_DELETE} the package counts as undecided until it is approved once more"),
        Form("canary", _SETTLED),
        Form("captures", f"{_DELETE} the captures are looked at again within the hour"),
        Form("champion", "restore the item from the table's point-in-time recovery"),
        Form("compared", f"{_DELETE} endpoint and champion are compared again within the hour"),
        Form("delivery", f"{_DELETE} the message is sent once more"),
        Form("estimates", f"{_DELETE} the estimator's record begins anew"),
        Form("experiment", _SETTLED),
        Form("held", f"{_DELETE} the retraining is decided again with the next window"),
        Form("incident", f"{_DELETE} the next message begins a thread of its own"),
        Form("label_horizon", f"{_DELETE} the horizon is learnt again from the labels"),
        Form("lease", f"{_DELETE} once no execution works on the model"),
        Form("mute", f"{_DELETE} then mute the model again (kedge mute)"),
        Form("pause", f"{_DELETE} then pause the model again (kedge pause)"),
        Form("profiled", f"{_DELETE} the next run writes it again"),
        Form("promise", f"{_DELETE} the next windows are held against the gate's promise again"),
        Form("release", _SETTLED),
        Form("requested", f"{_DELETE} then send the event kedge.retrain again"),
        Form("served", f"{_DELETE} the package's captures are counted once it serves again"),
        Form("start", f"{_DELETE} this retraining no longer counts for the cooldown"),
        Form("trials", f"{_DELETE} what versions answered that were tried in A/B tests is not counted any more"),
        Form("waiting_release", f"{_DELETE} then approve the package once more"),
        Form("window", f"{_DELETE} the next run judges the window again"),
    )
}
_TOGETHER = 100  # BatchGetItem takes at most this many keys
# What somebody must come back to carries for whom in the field `waits`, and the index over it holds no other item: one Query
# finds it all, however many models there are.
WAITS, WAITING_INDEX = "waits", "waiting"
SETTLE, DECIDE = "settle", "decide"
_WAITS_FOR = {
    **dict.fromkeys((LEASE, RELEASE, WAITING_RELEASE, UNTOLD.rstrip("#"), "mute"), SETTLE),
    "held": DECIDE,
}


def key(model: str, item: str) -> Item:
    """The key of a model's item."""
    return {"model": {"S": model}, "item": {"S": item}}


def load(dynamodb: Any, table: str, key: Item) -> Item | None:
    """The item as it was written last; None where there is none."""
    found: Item | None = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    return found


def put(dynamodb: Any, table: str, item: Item) -> None:
    """Write an item, whatever was there."""
    dynamodb.put_item(TableName=table, Item=_marked(item))


def put_if(dynamodb: Any, table: str, item: Item, condition: str, **values: Any) -> bool:
    """Write an item if the one before meets a condition; False where it does not.

    The condition names the item's fields as `#field`, and what they are compared with as `:value`.
    """
    with _on_condition() as race:
        dynamodb.put_item(TableName=table, Item=_marked(item), **_condition(condition, values))
    return race.won


def delete_if(dynamodb: Any, table: str, key: Item, condition: str, **values: Any) -> bool:
    """Delete an item if it meets a condition, written as for `put_if`; False where it does not."""
    with _on_condition() as race:
        dynamodb.delete_item(TableName=table, Key=key, **_condition(condition, values))
    return race.won


@dataclass
class _Race:
    won: bool = True


@contextmanager
def _on_condition() -> Iterator[_Race]:
    race = _Race()
    try:
        yield race
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        race.won = False


def _condition(condition: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in re.findall(r"#(\w+)", condition)},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }


def _marked(item: Item) -> Item:
    """The item with the version of now."""
    # A text: code of before versions reads every field of a champion as one.
    return waiting(item) | {"version": {"S": str(_form(item).version)}}


def waiting(item: Item) -> Item:
    """The item with the field by which the index finds it, if it is of a kind that somebody must come back to."""
    waits = _WAITS_FOR.get(_kind(item))
    return item | {WAITS: {"S": waits}} if waits else item


def load_waiting(dynamodb: Any, table: str, waits: str) -> dict[str, set[str]]:
    """The kinds of the items that wait to be settled, or to be decided, by model; an item of the last second may be missing."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName=WAITING_INDEX,
        KeyConditionExpression="waits = :waits",
        ExpressionAttributeValues={":waits": {"S": waits}},
    )
    found = dict[str, set[str]]()
    for item in (item for page in pages for item in page["Items"]):
        found.setdefault(item["model"]["S"], set()).add(_kind(item))
    return found


def read(item: Mapping[str, Any], build: Callable[[Mapping[str, Any]], T]) -> T:
    """What `build` makes of an item of any version that is read; an `EncodingError` that names the item where none is."""
    version = item.get("version", {"S": "1"}).get("S", "")
    known = {name: value for name, value in item.items() if name not in ("version", WAITS)}
    try:
        return _form(item).read(known | {"version": int(version) if version.isdigit() else version}, build)
    except EncodingError as error:
        raise error.at(f"the item {item['item']['S']!r} of {item['model']['S']} in the state table") from error


def _form(item: Mapping[str, Any]) -> Form:
    return FORMS[_kind(item)]


def _kind(item: Mapping[str, Any]) -> str:
    return str(item["item"]["S"].partition("#")[0])


def load_items(dynamodb: Any, table: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
    """Read the items with these keys (model and item), a hundred in a call; one that does not exist is left out."""
    found: list[Item] = []
    for start in range(0, len(keys), _TOGETHER):
        wanted = [key(model, item) for model, item in keys[start : start + _TOGETHER]]
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": wanted, "ConsistentRead": True}})
        found += answer["Responses"].get(table, [])
        # DynamoDB leaves out what is too much for it just now. One by one, each is tried again with growing waits.
        for left in answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []):
            item = load(dynamodb, table, left)
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
