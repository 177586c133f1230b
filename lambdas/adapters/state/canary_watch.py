"""What was last seen of a canary: the state table's `canary` item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedge.release.canary_reading import MARK_BYTES, NOTHING, AnswersRead, Reading
from kedge.release.look_table import LookRow
from kedge.release.proof import LastWatch
from lambdas.adapters.state import state_items


@dataclass(frozen=True)
class CanaryWatch:
    """One look at a canary."""

    run: str
    package_version: str
    endpoint_config: str
    requests: int
    seen_at: str
    last: LastWatch
    reading: Reading = NOTHING


def save(dynamodb: Any, table: str, model: str, watch: CanaryWatch) -> None:
    """Remember the latest look."""
    item = {
        **state_items.key(model, "canary"),
        "run": {"S": watch.run},
        "package_version": {"S": watch.package_version},
        "endpoint_config": {"S": watch.endpoint_config},
        "requests": {"N": str(watch.requests)},
        "seen_at": {"S": watch.seen_at},
        "judged": {"N": str(watch.last.judged)},
        "rows": {"N": str(watch.reading.found.rows)},
        "wrong": {"N": str(watch.reading.found.wrong)},
        "done": {"B": b"".join(sorted(watch.reading.done))},
        "begun": {"B": watch.reading.begun},
        "place": {"N": str(watch.reading.place)},
        "verdict": {"S": watch.last.verdict},
        "reasons": {"L": [{"S": reason} for reason in watch.last.reasons]},
        "table": {
            "L": [{"M": {name: {"S": said} for name, said in row.to_json().items()}} for row in watch.last.table]
        },
    }
    state_items.put(dynamodb, table, item)


def load(dynamodb: Any, table: str, model: str) -> CanaryWatch | None:
    """Read the latest look; None where no canary is out."""
    item = state_items.load(dynamodb, table, _key(model))
    return state_items.read(item, _watch) if item is not None else None


def _watch(item: Mapping[str, Any]) -> CanaryWatch:
    rows = item.get("table", {}).get("L", ())
    last = LastWatch(
        item["verdict"]["S"],
        tuple(reason["S"] for reason in item["reasons"]["L"]),
        int(item["judged"]["N"]),
        tuple(LookRow(**{name: said["S"] for name, said in row["M"].items()}) for row in rows),
    )
    return CanaryWatch(
        item["run"]["S"],
        item["package_version"]["S"],
        item["endpoint_config"]["S"],
        int(item["requests"]["N"]),
        item["seen_at"]["S"],
        last,
        _reading(item),
    )


def _reading(item: Mapping[str, Any]) -> Reading:
    if "done" not in item:
        # A look of an earlier version of Kedge: all is read anew.
        return NOTHING
    done = bytes(item["done"]["B"])
    marks = frozenset(done[start : start + MARK_BYTES] for start in range(0, len(done), MARK_BYTES))
    found = AnswersRead(int(item["rows"]["N"]), int(item["wrong"]["N"]))
    return Reading(found, marks, bytes(item["begun"]["B"]), int(item["place"]["N"]))


def forget(dynamodb: Any, table: str, model: str, run: str) -> None:
    """Remove the item of this run's canary; another run's is left alone."""
    condition = "attribute_not_exists(#run) OR #run = :run"
    state_items.delete_if(dynamodb, table, _key(model), condition, run={"S": run})


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, "canary")
