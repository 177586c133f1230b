"""Data Capture: what endpoints receive and answer, written to S3 late, out of order and in several files.

The real service samples requests, keeps them on the instances, and uploads files of JSON lines within minutes under
`{DestinationS3Uri}/{endpoint}/{variant}/yyyy/mm/dd/hh/`, by the hour of the invocation. Imitated: the record, sampling,
either mode alone, encodings by content type (a type that is not listed becomes BASE64), files that arrive 1 to 10
minutes after their records, shuffled and split. A failed invocation is not captured. The first file of a day for each
destination is written as the model's role, so that a missing permission shows; the others go straight into moto.
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from offline.sagemaker.storage import DownloadError, Storage, split_uri

COLLECT_SECONDS = (30.0, 240.0)  # one file's records are from so long a time
UPLOAD_SECONDS = (60.0, 360.0)  # and it arrives so long after: 1 to 10 minutes late in all
SPLIT_FRACTION = 0.25
FILE_RECORDS_MAX = 500
CSV, JSON, BASE64 = "CSV", "JSON", "BASE64"


@dataclass(frozen=True)
class CaptureSettings:
    """An endpoint config's DataCaptureConfig, ready for use."""

    percentage: int
    destination: str
    modes: frozenset[str]
    csv_types: frozenset[str]
    json_types: frozenset[str]
    kms_key_id: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> CaptureSettings | None:
        """Read a DataCaptureConfig; None where nothing is captured."""
        if not config or not config.get("EnableCapture", True):
            return None
        header = config.get("CaptureContentTypeHeader", {})
        return cls(
            int(config["InitialSamplingPercentage"]),
            config["DestinationS3Uri"].rstrip("/"),
            frozenset(option["CaptureMode"] for option in config["CaptureOptions"]),
            frozenset(kind.lower() for kind in header.get("CsvContentTypes", ())),
            frozenset(kind.lower() for kind in header.get("JsonContentTypes", ())),
            config.get("KmsKeyId"),
        )

    def encoding(self, content_type: str) -> str:
        """Return how a payload of a content type is written."""
        # Real records show `text/csv; charset=utf-8` as CSV where text/csv is listed: parameters do not count.
        kind = content_type.partition(";")[0].strip().lower()
        if kind in self.csv_types:
            return CSV
        return JSON if kind in self.json_types else BASE64

    def block(self, mode: str, content_type: str, body: bytes) -> dict[str, str]:
        """Return one side of a record."""
        encoding = self.encoding(content_type)
        try:
            data = body.decode() if encoding != BASE64 else base64.b64encode(body).decode()
        except UnicodeDecodeError:
            encoding, data = BASE64, base64.b64encode(body).decode()
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


@dataclass
class Batch:
    """Records of one hour that will arrive together."""

    closes: datetime
    lines: list[str] = field(default_factory=list)


class CaptureWriter:
    """Writes what one variant of one fleet receives and answers."""

    def __init__(
        self,
        storage: Storage,
        settings: CaptureSettings,
        *,
        endpoint: str,
        variant: str,
        duplicate_fraction: float = 0.0,
    ) -> None:
        self.region, self.settings = storage.region, settings
        self.prefix = f"{settings.destination}/{endpoint}/{variant}"
        self.duplicate_fraction = duplicate_fraction
        self._random: random.Random = self.region.seeded("capture", self.prefix)
        self._storage = storage
        self._batches: dict[str, Batch] = {}
        self._day: Any = None
        self._refused = False

    def capture(
        self,
        request: tuple[str, bytes],
        answer: tuple[str, bytes],
        inference_id: str | None = None,
        custom_attributes: str | None = None,
    ) -> None:
        """Keep one invocation, given as content types and bodies, if the sample takes it."""
        settings, draw, now = self.settings, self._random, self.region.clock.now
        if settings.percentage < 100 and draw.random() * 100 >= settings.percentage:
            return
        data: dict[str, Any] = {}
        if "Input" in settings.modes:
            data["endpointInput"] = settings.block("INPUT", *request)
        if "Output" in settings.modes:
            data["endpointOutput"] = settings.block("OUTPUT", *answer)
        metadata = {"eventId": str(uuid.UUID(int=draw.getrandbits(128), version=4))}
        if inference_id is not None:
            metadata["inferenceId"] = inference_id
        if custom_attributes is not None:
            metadata["customAttributes"] = [custom_attributes]  # type: ignore[assignment]  # a list, as AWS writes it
        metadata["inferenceTime"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        line = json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})
        batch = self._batch(now)
        batch.lines.append(line)
        if self.duplicate_fraction and draw.random() < self.duplicate_fraction:
            batch.lines.append(line)

    def _batch(self, now: datetime) -> Batch:
        hour = f"{now:%Y/%m/%d/%H}"
        batch = self._batches.get(hour)
        if batch is None or now > batch.closes:
            closes = now + timedelta(seconds=self._random.uniform(*COLLECT_SECONDS))
            arrives = closes + timedelta(seconds=self._random.uniform(*UPLOAD_SECONDS))
            batch = self._batches[hour] = Batch(closes)
            self.region.clock.call_at(arrives, lambda: self._arrive(hour, batch), f"capture {self.prefix}/{hour}")
        return batch

    def _arrive(self, hour: str, batch: Batch) -> None:
        if self._batches.get(hour) is batch:
            del self._batches[hour]
        lines, draw = batch.lines, self._random
        draw.shuffle(lines)
        files = -(-len(lines) // FILE_RECORDS_MAX)
        if len(lines) > 1 and draw.random() < SPLIT_FRACTION:
            files += 1
        for number in range(files):
            part = lines[number::files]
            name = f"{batch.closes:%M-%S}-{draw.randrange(1000):03d}-{uuid.UUID(int=draw.getrandbits(128), version=4)}"
            self._write(f"{self.prefix}/{hour}/{name}.jsonl", "\n".join(part).encode() + b"\n")

    def _write(self, uri: str, body: bytes) -> None:
        today = self.region.clock.now.date()
        if today != self._day:
            self._day = today
            try:
                self._storage.write(uri, body, self.settings.kms_key_id)
                self._refused = False
            except DownloadError:  # the real service says nothing either: the file is not there
                self._refused = True
            return
        if not self._refused:
            bucket, key = split_uri(uri)
            self.region.backend("s3").put_object(bucket, key, body, disable_notification=True)
