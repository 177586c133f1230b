"""What is known of a model's past, as rows of the history's tables `windows`, `metrics`, `columns` and `decisions`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from kedge.instants import from_text
from lambdas.adapters.bucket import layout, objects

_READERS = 16
# A model that is judged every hour has more windows than a page can show.
WINDOWS_READ = 400
_OF_METRIC = ("value", "low", "high", "limit", "severity", "unit")
_ASCENDING = ("INSUFFICIENT_DATA", "OK", "WARNING", "CRITICAL")


def load_history(s3: Any, bucket: str, model: str, table: str, *, since: datetime) -> pa.Table:
    """The rows of a table from `since` on, oldest first; times are in UTC without a zone."""
    is_window = table != "decisions"
    after = f"{layout.timeline_prefix(model)}{since:%Y/%m/%d}"
    keys = sorted(objects.list_objects(s3, bucket, layout.timeline_prefix(model), start_after=after))
    keys = [key for key in keys if ("-window_judged-" in key) == is_window]
    with ThreadPoolExecutor(_READERS) as readers:
        found = [*readers.map(lambda key: objects.read(s3, bucket, key), keys[-WINDOWS_READ:] if is_window else keys)]
    entries = [json.loads(each[0]) for each in found if each is not None]
    return pa.Table.from_pylist([row for entry in entries for row in _ROWS[table](entry)])


def _decision(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    detail = entry["detail"]
    yield {
        "model": entry["model"],
        "time": _instant(entry["time"]),
        "kind": entry["kind"],
        "package": str(detail["package_version"]) if detail.get("package_version") else None,
        "reason": next((str(reason) for reason in detail.get("reasons") or []), None),
        "detail": json.dumps(detail, default=str),
    }


def _window(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    detail = entry["detail"]
    quality, found = detail.get("performance", {}), [column["severity"] for column in detail["columns"]]
    yield _shared(entry) | {
        "rows": detail["window"]["rows"],
        "sampled_fraction": detail["window"].get("sampled_fraction", 1.0),
        "severity": detail["severity"],
        "drift": max(found, key=_ASCENDING.index, default="INSUFFICIENT_DATA"),
        "performance": quality.get("severity"),
        "estimate": quality.get("estimate", {}).get("severity"),
        "columns_drifted": sum(severity in ("WARNING", "CRITICAL") for severity in found),
        "report_key": detail["report_key"],
    }


def _metrics(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    quality = entry["detail"].get("performance", {})
    kinds = {
        "measured": quality.get("metrics", ()),
        "estimated": quality.get("estimate", {}).get("metrics", ()),
        "business": quality.get("business", ()),
    }
    for kind, found in kinds.items():
        for metric in found:
            beside = quality.get("reference", {}).get(metric["name"], {}).get("value")
            yield (
                _shared(entry)
                | {name: metric.get(name) for name in _OF_METRIC}
                | {"kind": kind, "metric": metric["name"], "subject": ""}
                | {"reference": metric.get("reference") if kind == "business" else beside}
            )


def _columns(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for column in entry["detail"]["columns"]:
        yield _shared(entry) | {name: column.get(name) for name in ("name", "severity", "effect", "psi", "importance")}


def _shared(entry: Mapping[str, Any]) -> dict[str, Any]:
    window = entry["detail"]["window"]
    return {
        "model": entry["model"],
        "package": str(entry["detail"]["package_version"]),
        "window_start": _instant(window["start"]),
        "window_end": _instant(window["end"]),
    }


def _instant(text: str) -> datetime:
    return from_text(text).astimezone(UTC).replace(tzinfo=None)


_ROWS = {"windows": _window, "metrics": _metrics, "columns": _columns, "decisions": _decision}
