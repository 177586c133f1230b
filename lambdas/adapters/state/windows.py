"""How a model's windows were judged, what was told of them, and what was started: the state table's small items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kedge.instants import from_text, to_text
from kedge.retraining.state import RetrainingStart, WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.state import state_items

KEEP = timedelta(days=400)
# Verdicts that a window may be without.
_UNCERTAIN = ("performance", "estimate", "confidence")
_SHARES = ("right", "right_estimated")


@dataclass(frozen=True)
class StoredWindow:
    """A window's verdicts with what else later steps need of it.

    `rows_by_hour` is of the stretch that was new; `live` are the measured metrics that a limit judged, as the report has
    them, and `estimates` those that were estimated because labels are out.
    """

    verdict: WindowVerdict
    package_version: str
    digest: str
    revision: int
    new_labelled_rows: int
    rows_by_hour: tuple[int, ...] = ()
    live: tuple[dict[str, Any], ...] = ()
    estimates: tuple[dict[str, Any], ...] = ()


def save_window(dynamodb: Any, table: str, model: str, window: StoredWindow) -> None:
    """Remember a judged window; judged again, it replaces itself."""
    verdict = window.verdict
    item: dict[str, Any] = {
        **_key(model, f"{state_items.WINDOW}{to_text(verdict.end)}"),
        "start": {"S": to_text(verdict.start)},
        "drift": {"S": verdict.drift.value},
        "package_version": {"S": window.package_version},
        "digest": {"S": window.digest},
        "revision": {"N": str(window.revision)},
        "new_labelled_rows": {"N": str(window.new_labelled_rows)},
        "expires_at": {"N": str(int((verdict.end + KEEP).timestamp()))},
    }
    for name in _UNCERTAIN:
        if (severity := getattr(verdict, name)) is not None:
            item[name] = {"S": severity.value}
    for name in _SHARES:
        if (share := getattr(verdict, name)) is not None:
            item[name] = {"N": repr(share)}
    if window.rows_by_hour:
        # One text: as a list of numbers each of some hundred hours would cost its own overhead in every read.
        item["rows_by_hour"] = {"S": " ".join(map(str, window.rows_by_hour))}
    if window.live:
        item["live"] = {"S": json.dumps(window.live)}
    if window.estimates:
        item["estimates"] = {"S": json.dumps(window.estimates)}
    state_items.put(dynamodb, table, item)


def load_windows(dynamodb: Any, table: str, model: str, *, since: datetime) -> list[StoredWindow]:
    """The windows that ended at or after `since`, ascending."""
    return [
        state_items.read(item, _window) for item in _query(dynamodb, table, model, state_items.WINDOW, to_text(since))
    ]


def newest_end(dynamodb: Any, table: str, model: str) -> datetime | None:
    """The end of the window that was judged last; None where none was."""
    answer = dynamodb.query(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="model = :model AND begins_with(#item, :prefix)",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":model": {"S": model}, ":prefix": {"S": state_items.WINDOW}},
        ScanIndexForward=False,
        Limit=1,
    )
    items = answer["Items"]
    return from_text(items[0]["item"]["S"].removeprefix(state_items.WINDOW)) if items else None


def load_window(dynamodb: Any, table: str, model: str, end: datetime) -> StoredWindow | None:
    """One window; None where it has not been judged."""
    key = _key(model, f"{state_items.WINDOW}{to_text(end)}")
    item = state_items.load(dynamodb, table, key)
    return state_items.read(item, _window) if item else None


def judged_of(dynamodb: Any, table: str, ends: Sequence[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
    """Which of these windows, each by its model and its end, have been judged."""
    names = {(model, f"{state_items.WINDOW}{to_text(end)}"): (model, end) for model, end in ends}
    return {names[found] for found in state_items.load_items(dynamodb, table, list(names))}


def save_start(dynamodb: Any, table: str, model: str, run: str, start: RetrainingStart) -> None:
    """Remember that a retraining was started."""
    item = {
        **_key(model, f"{state_items.START}{to_text(start.time)}#{run}"),
        "time": {"S": to_text(start.time)},
        "kind": {"S": start.kind},
        "episode": {"S": start.episode},
        "new_rows": {"N": str(start.new_rows)},
    }
    state_items.put(dynamodb, table, item)


def save_cost(dynamodb: Any, table: str, model: str, run: str, cost_usd: float) -> bool:
    """Note what the jobs of a retraining cost; False where no such retraining is known."""
    for item in _query(dynamodb, table, model, state_items.START, ""):
        if item["item"]["S"].rpartition("#")[2] == run:
            state_items.put(dynamodb, table, {**item, "cost_usd": {"N": repr(cost_usd)}})
            return True
    return False


def load_starts(dynamodb: Any, table: str, model: str) -> dict[str, RetrainingStart]:
    """Every retraining of the model by its run, ascending by time."""
    return {
        item["item"]["S"].rpartition("#")[2]: state_items.read(item, _start)
        for item in _query(dynamodb, table, model, state_items.START, "")
    }


def is_told(dynamodb: Any, table: str, model: str, what: str) -> bool:
    """Whether people have been told this."""
    return "Item" in dynamodb.get_item(
        TableName=table, Key=_key(model, f"{state_items.TOLD}{what}"), ConsistentRead=True
    )


def remember_told(dynamodb: Any, table: str, model: str, what: str, *, now: datetime) -> None:
    """Remember that people have been told, after they were: a crash in between tells twice rather than never."""
    item = _key(model, f"{state_items.TOLD}{what}") | {"expires_at": {"N": str(int((now + KEEP).timestamp()))}}
    dynamodb.put_item(TableName=table, Item=item)


def pause_reason(dynamodb: Any, table: str, model: str) -> str | None:
    """Why a person paused the model's automatic retraining; None where nobody did."""
    item = state_items.load(dynamodb, table, _key(model, state_items.PAUSE))
    return read_pause(item)


def read_pause(item: Mapping[str, Any] | None) -> str | None:
    """The reason in a `pause` item; None where there is none."""
    return state_items.read(item, lambda found: str(found["reason"]["S"])) if item else None


def save_horizon(dynamodb: Any, table: str, model: str, days: float) -> None:
    """Remember the learnt label horizon: a young champion's few labels cannot teach it."""
    item = {**_key(model, "label_horizon"), "days": {"N": repr(days)}}
    state_items.put(dynamodb, table, item)


def load_horizon(dynamodb: Any, table: str, model: str) -> float | None:
    """The label horizon that was learnt last, in days."""
    item = state_items.load(dynamodb, table, _key(model, "label_horizon"))
    return state_items.read(item, lambda found: float(found["days"]["N"])) if item else None


def _start(item: Mapping[str, Any]) -> RetrainingStart:
    return RetrainingStart(
        from_text(item["time"]["S"]),
        item["kind"]["S"],
        item["episode"]["S"],
        new_rows=int(item["new_rows"]["N"]) if "new_rows" in item else 0,
        cost_usd=float(item["cost_usd"]["N"]) if "cost_usd" in item else None,
    )


def _window(item: Mapping[str, Any]) -> StoredWindow:
    end = from_text(item["item"]["S"].removeprefix(state_items.WINDOW))
    performance, estimate, confidence = (Severity(item[name]["S"]) if name in item else None for name in _UNCERTAIN)
    right, right_estimated = (float(item[name]["N"]) if name in item else None for name in _SHARES)
    start, drift = from_text(item["start"]["S"]), Severity(item["drift"]["S"])
    verdict = WindowVerdict(start, end, drift, performance, estimate, confidence, right, right_estimated)
    return StoredWindow(
        verdict,
        item["package_version"]["S"],
        item["digest"]["S"],
        int(item["revision"]["N"]),
        int(item["new_labelled_rows"]["N"]),
        tuple(map(int, item.get("rows_by_hour", {"S": ""})["S"].split())),
        *(tuple(json.loads(item[name]["S"])) if name in item else () for name in ("live", "estimates")),
    )


def _query(dynamodb: Any, table: str, model: str, prefix: str, since: str) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="model = :model AND #item BETWEEN :first AND :last",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={
            ":model": {"S": model},
            ":first": {"S": f"{prefix}{since}"},
            ":last": {"S": f"{prefix}~"},
        },
    )
    return [item for page in pages for item in page["Items"]]


def _key(model: str, item: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, item)
