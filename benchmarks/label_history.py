"""A model's history in an S3 of its own, on which a day's labels are folded over and over."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from moto import mock_aws

from kedge.config.model import ModelConfig
from kedge.config.sections import Endpoint, Feature
from kedge.labels.fold import FoldReport
from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, predictions
from lambdas.steps.fold_labels import LABEL_LOOK_BACK_DAYS, fold_labels

DAY_LABELS, HOURS = 20_000, 24
NOW = datetime(2026, 6, 1, tzinfo=UTC)
# Labels come one to five days after their rows.
_DELAYS = range(1, 6)
_ACCOUNT = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}


@contextmanager
def fake_aws() -> Iterator[None]:
    """An account of its own for this process."""
    os.environ |= _ACCOUNT
    with mock_aws():
        yield


class LabelHistory:
    """Answers of this many days, a part per hour, with labels for all days but one."""

    def __init__(self, days_of_history: int, labels_a_day: int) -> None:
        self.days, self.labels, self.bucket = days_of_history, labels_a_day, f"bench-{days_of_history}"
        self.config = ModelConfig(
            model="bench", endpoint=Endpoint(name="bench"), features=(Feature(name="x", kind="numeric"),)
        )
        self.folded = FoldReport()
        clients.s3().create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for back in range(self.days):
            self._answer(NOW - timedelta(days=back + 1))
        for back in range(1, min(self.days, LABEL_LOOK_BACK_DAYS)):
            self._upload(NOW - timedelta(days=back), hints=True)
        self.fold(NOW - timedelta(days=1))
        self._before = {key: self._read(key) for key in self._keys()}

    def arrange(self, *, hints: bool) -> None:
        """Let the last day's labels be there, and nothing that was folded of them."""
        for key in self._keys() - self._before.keys():
            clients.s3().delete_object(Bucket=self.bucket, Key=key)
        for key, content in self._before.items():
            clients.s3().put_object(Bucket=self.bucket, Key=key, Body=content)
        self._upload(NOW, hints=hints)

    def fold(self, now: datetime = NOW) -> None:
        """Fold what is new."""
        self.folded = fold_labels(self.bucket, self.config, now=now, horizon_days=None)

    def _answer(self, day: datetime) -> None:
        s3, parts = clients.s3(), []
        for hour in range(HOURS):
            ids = [row_id(day, row) for row in range(hour, self.labels, HOURS)]
            at = pa.array([day + timedelta(hours=hour)] * len(ids), pa.timestamp("us", "UTC"))
            scores = np.random.default_rng(hour).beta(2, 5, len(ids))
            parts.append(predictions.part_key("bench", "1", day.date(), [str(hour)]))
            predictions.save_part(
                s3,
                self.bucket,
                parts[-1],
                pa.table({"kedge_row_id": ids, "kedge_time": at, "prediction": scores, "x": scores}),
            )
        key = layout.profile_day_key("bench", "1", "1", day.date())
        s3.put_object(Bucket=self.bucket, Key=key, Body=encode_day(DayProfile(parts=tuple(parts))))

    def _upload(self, until: datetime, *, hints: bool) -> None:
        """The labels that are collected on the day before: every fifth of each of five days' rows."""
        lines = defaultdict(list)
        for row in range(self.labels):
            day = until - timedelta(days=1 + _DELAYS[row % len(_DELAYS)])
            if day < NOW - timedelta(days=self.days):
                continue
            metadata: dict[str, Any] = {"eventId": row_id(day, row)}
            if hints:
                metadata["inferenceTime"] = f"{day + timedelta(hours=row % HOURS):%Y-%m-%dT%H:%M:%SZ}"
            label = {"groundTruthData": {"data": str(row % 2), "encoding": "CSV"}, "eventMetadata": metadata}
            lines[row // len(_DELAYS) % HOURS].append(json.dumps(label))
        for hour, records in lines.items():
            key = f"labels/bench/{until - timedelta(days=1) + timedelta(hours=hour):%Y/%m/%d/%H}/labels.jsonl"
            clients.s3().put_object(Bucket=self.bucket, Key=key, Body="\n".join(records).encode())

    def _keys(self) -> set[str]:
        answer = clients.s3().list_objects_v2(Bucket=self.bucket, Prefix="labelled/")
        return {item["Key"] for item in answer.get("Contents", [])}

    def _read(self, key: str) -> bytes:
        content: bytes = clients.s3().get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content


def row_id(day: datetime, row: int) -> str:
    """An id of 36 letters that says nothing of its time."""
    number = (int(day.timestamp()) * 1_000_003 + row) * 0x9E3779B97F4A7C15 % 2**122
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
