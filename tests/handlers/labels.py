"""Answered rows and label files of a small model, as the label fold finds them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from kedge.capture.id_hashes import hash_ids
from kedge.config.model import ModelConfig
from kedge.labels.fold import FoldReport, last_collected
from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters.bucket import counted_ids, days, label_days, layout
from lambdas.steps.fold_labels import fold_labels
from tests.handlers.aws_world import BUCKET, MODEL, World

NOW = datetime(2016, 3, 1, 2, tzinfo=UTC)


def answer_ids(world: World, day: date, ids: list[str], *, version: str = "1", hashed: bool = True) -> None:
    """Count a day on which these ids were answered; what was counted before stays. Earlier versions kept no hashes."""
    part = f"predictions/{MODEL}/package={version}/date={day}/{ids[0]}.parquet"
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    sink = io.BytesIO()
    times = pa.array([noon] * len(ids), pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"kedge_row_id": ids, "kedge_time": times, "prediction": [0.5] * len(ids)}), sink)
    if hashed:
        counted_ids.save_hashes(world.s3, BUCKET, part, hash_ids(pa.array(ids)))
    world.put(part, sink.getvalue())
    key = layout.profile_day_key(MODEL, version, version, day)
    known, _ = days.load_day(world.s3, BUCKET, key)
    world.put(key, encode_day(known.folded(DayProfile(parts=(part,)))))


def record(row_id: str, label: Any, **more: Any) -> dict[str, Any]:
    """One label; `inference_time` stands in its metadata, everything else beside the truth."""
    metadata = {"eventId": row_id} | ({"inferenceTime": more.pop("inference_time")} if "inference_time" in more else {})
    return {
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "eventMetadata": metadata,
        "eventVersion": "0",
        **more,
    }


def upload(world: World, collected: datetime, *records: Any, name: str = "labels") -> str:
    """Put a label file below the hour of its collection."""
    key = f"labels/{MODEL}/{collected:%Y/%m/%d/%H}/{name}.jsonl"
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    world.put(key, "\n".join(lines).encode())
    return key


def fold(
    world: World,
    *,
    now: datetime = NOW,
    horizon: float | None = None,
    config: ModelConfig | None = None,
    has_time: Callable[[], bool] = lambda: True,
) -> FoldReport:
    """Fold what is there."""
    return fold_labels(BUCKET, config or world.config, now=now, horizon_days=horizon, has_time=has_time)


def folded(world: World, fields: tuple[str, ...] = ()) -> dict[tuple[str, str], Any]:
    """The label of each day and id."""
    found = {}
    for day in dict.fromkeys(key.split("date=")[1][:10] for key in world.keys(f"labelled/{MODEL}/date=")):
        of_day = date.fromisoformat(day)
        objects = [*label_days.load_days(world.s3, BUCKET, MODEL, first=of_day, last=of_day, fields=fields)]
        for labels in objects:
            assert len(set(labels.column("kedge_row_id").to_pylist())) == labels.num_rows
        for row in last_collected(pa.concat_tables(objects)).to_pylist():
            said = tuple(row[f"kedge_field_{name}"] for name in fields)
            found[day, row["kedge_row_id"]] = (row["label"], *said) if fields else row["label"]
    return found


def reads(world: World) -> list[str]:
    """Keys of every object that is read from now on."""
    found: list[str] = []
    world.s3.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: found.append(unquote(params["url_path"]))
    )
    return found


def days_back(count: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=count)
