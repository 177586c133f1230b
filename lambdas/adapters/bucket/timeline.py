"""The timeline: what Kedge did and why, one small object an entry, written by its functions and read back for people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.instants import to_text
from lambdas.adapters.bucket import history, layout, objects

# Each entry is an object of its own: their reading is all waiting.
_READERS = 16
# Entries of one second follow each other as one causes the next; a kind that is not here stands last.
_IN_ORDER = (
    "paused",
    "resumed",
    "muted",
    "unmuted",
    "mute_ended",
    "performance_measured",
    "window_judged",
    "alert_sent",
    "labels_lost",
    "package_found",
    "retraining_started",
    "retraining_held",
    "retrain_event_refused",
    "data_rejected",
    "training_completed",
    "gate_failed",
    "mlflow_failed",
    "gate_passed",
    "package_registered",
    "approved_automatically",
    "second_approval_awaited",
    "rejected",
    "approved",
    "release_superseded",
    "release_withheld",
    "experiment_started",
    "experiment_proved",
    "experiment_withdrawn",
    "canary_started",
    "baseline_switched",
    "canary_promoted",
    "canary_rolled_back",
    "release_unproven",
    "promise_broken",
)


@dataclass(frozen=True)
class Entry:
    """Something that happened to a model."""

    model: str
    kind: str
    time: datetime
    detail: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As the timeline holds it, and as a message that is kept."""
        return {"time": to_text(self.time), "model": self.model, "kind": self.kind, "detail": dict(self.detail)}


def record(s3: Any, bucket: str, entry: Entry, *, name: str | None = None) -> dict[str, Any]:
    """Write one entry and return it; a rerun writes the same entry to the same key.

    `name` is what the entry is about, where a rerun may find out more: then the later entry takes the place of the earlier.
    """
    written = entry.to_json()
    body = json.dumps(written, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(name.encode() if name else body).hexdigest()[:12]
    key = layout.timeline_key(entry.model, entry.time, entry.kind, digest)
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    # As the object says it: what JSON cannot hold has become text.
    history.note_decision(bucket, json.loads(body), key)
    return written


def load_timeline(
    s3: Any, bucket: str, model: str, *, last: int | None = None, kind: str | None = None, since: datetime | None = None
) -> list[dict[str, Any]]:
    """The model's entries in time: of one kind alone if it is named, from a day on, or the newest `last` of them."""
    prefix = layout.timeline_prefix(model)
    start = f"{prefix}{since:%Y/%m/%d}" if since else ""
    keys = sorted(objects.list_objects(s3, bucket, prefix, start_after=start), key=_moment)
    keys = [key for key in keys if kind is None or f"-{kind}-" in key]
    wanted = keys if last is None else keys[max(len(keys) - last, 0) :]
    with ThreadPoolExecutor(_READERS) as readers:
        found = [read for read in readers.map(lambda key: objects.read(s3, bucket, key), wanted) if read is not None]
    return [json.loads(body) for body, _ in found]


def _moment(key: str) -> tuple[str, int, str]:
    """When an entry was made, to the second, then its place among those of that second."""
    day, _, name = key.rpartition("/")
    time, _, rest = name.partition("-")
    kind = rest.rpartition("-")[0]
    return f"{day}/{time}", _IN_ORDER.index(kind) if kind in _IN_ORDER else len(_IN_ORDER), rest


def models_with_timeline(s3: Any, bucket: str) -> list[str]:
    """The models that something has happened to."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=layout.TIMELINES, Delimiter="/")
    return sorted(p["Prefix"].split("/")[1] for page in pages for p in page.get("CommonPrefixes", []))
