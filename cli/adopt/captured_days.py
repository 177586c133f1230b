"""What an endpoint captured before it is adopted: its first days as rows, and when it began."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pyarrow as pa

from cli.adopt.running_endpoint import RunningEndpoint
from cli.refusals import BadInputError
from kedge.capture.records import capture_batches
from kedge.config.model import ModelConfig
from lambdas.adapters.bucket import inference_logs, row_objects

# A baseline needs no more: about a thousand edges are frozen of it.
ROWS_READ, BYTES_READ = 200_000, 512 * 2**20
_HOUR = re.compile(r"(\d{4}/\d{2}/\d{2}/\d{2})/[^/]+\.jsonl$")


@dataclass(frozen=True)
class CapturedRows:
    """Rows of a stretch of captures, all columns as text; how many records could not be read, and with which reason."""

    rows: pa.Table
    start: datetime
    end: datetime
    unread: int
    reason: str
    is_sample: bool


def first_hour(s3: Any, endpoint: RunningEndpoint) -> datetime | None:
    """The hour of the first capture that is still there; None where there is none."""
    found = (_first_hour_below(s3, endpoint, prefix) for prefix in endpoint.variant_prefixes)
    return min((hour for hour in found if hour is not None), default=None)


def _first_hour_below(s3: Any, endpoint: RunningEndpoint, prefix: str) -> datetime | None:
    with inference_logs.readable(endpoint.captures):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=endpoint.captures.bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if (hour := _hour_of(item["Key"])) is not None:
                    return hour
    return None


def read_days(
    s3: Any, endpoint: RunningEndpoint, config: ModelConfig, *, start: datetime, end: datetime
) -> CapturedRows:
    """Read the captures of `[start, end)`; of very many, objects at even distances."""
    sizes = dict(_objects(s3, endpoint, start, end))
    step = max(1, -(-sum(sizes.values()) // BYTES_READ))
    keys = sorted(sizes)[::step]
    tables, unread, reason, rows = [], 0, "", 0
    with inference_logs.readable(endpoint.captures):
        for block in inference_logs.open_blocks(s3, endpoint.captures.bucket, keys):
            for batch in capture_batches(((piece.key, piece.content) for piece in block.pieces), config):
                tables.append(batch.table)
                unread, rows = unread + len(batch.quarantined), rows + batch.table.num_rows
                reason = reason or next((record.reason for record in batch.quarantined), "")
    if not rows:
        said = f": {reason}" if reason else ""
        raise BadInputError(
            f"none of the records below {endpoint.place} from {start:%Y-%m-%d} to "
            f"{end:%Y-%m-%d} can be read{said}; correct the model's YAML, and adopt again"
        )
    table = pa.concat_tables(tables)
    thinned = -(-rows // ROWS_READ)
    if thinned > 1:
        table = table.take(pa.array(range(0, rows, thinned)))
    return CapturedRows(table, start, end, unread, reason, is_sample=step > 1 or thinned > 1)


def _objects(s3: Any, endpoint: RunningEndpoint, start: datetime, end: datetime) -> Iterator[tuple[str, int]]:
    days: list[date] = [start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1)]
    for day, prefix in product(days, endpoint.variant_prefixes):
        with inference_logs.readable(endpoint.captures):
            listed = row_objects.list_sizes(s3, endpoint.captures.bucket, f"{prefix}{day:%Y/%m/%d}/")
        for key, size in listed.items():
            hour = _hour_of(key)
            if hour is not None and start <= hour < end:
                yield key, size


def _hour_of(key: str) -> datetime | None:
    found = _HOUR.search(key)
    return datetime.strptime(found[1], "%Y/%m/%d/%H").replace(tzinfo=UTC) if found else None
