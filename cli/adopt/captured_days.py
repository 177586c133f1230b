"""What was captured or logged before it is adopted: the first days as rows, and when they began."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pyarrow as pa

from cli.adopt.running import CapturedRows, Running
from cli.refusals import BadInputError
from kedge.capture.records import capture_batches
from kedge.capture.source import SOURCES, hour_of_key
from kedge.config.model import ModelConfig
from lambdas.adapters.bucket import row_objects
from lambdas.adapters.captures import inference_logs

# A baseline needs no more: about a thousand edges are frozen of it.
ROWS_READ, BYTES_READ = 200_000, 512 * 2**20


def first_hour(s3: Any, running: Running) -> datetime | None:
    """The hour of the first capture that is still there; None where there is none."""
    return min((hour for prefix in running.prefixes if (hour := _first_hour_below(s3, running, prefix))), default=None)


def _first_hour_below(s3: Any, running: Running, prefix: str) -> datetime | None:
    with inference_logs.readable(running.captures):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=running.captures.bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if (hour := _hour_of(item["Key"], running)) is not None:
                    return hour
    return None


def read_days(s3: Any, running: Running, config: ModelConfig, *, start: datetime, end: datetime) -> CapturedRows:
    """Read the captures of `[start, end)`; of very many, objects at even distances."""
    sizes = dict(_objects(s3, running, start, end))
    step = max(1, -(-sum(sizes.values()) // BYTES_READ))
    keys = sorted(sizes)[::step]
    tables, unread, reason, rows = [], 0, "", 0
    with inference_logs.readable(running.captures):
        for block in inference_logs.open_blocks(s3, running.captures.bucket, keys):
            for batch in capture_batches(((piece.key, piece.content) for piece in block.pieces), config):
                tables.append(batch.table)
                unread, rows = unread + len(batch.quarantined), rows + batch.table.num_rows
                reason = reason or next((record.reason for record in batch.quarantined), "")
    if not rows:
        said = f": {reason}" if reason else ""
        raise BadInputError(
            f"none of the records below {_below(running)} from {start:%Y-%m-%d} to {end:%Y-%m-%d} can be read{said}"
        )
    table = pa.concat_tables(tables)
    thinned = -(-rows // ROWS_READ)
    if thinned > 1:
        table = table.take(pa.array(range(0, rows, thinned)))
    return CapturedRows(table, start, end, unread, reason, is_sample=step > 1 or thinned > 1)


def _below(running: Running) -> str:
    return " and ".join(f"s3://{running.captures.bucket}/{prefix}" for prefix in running.prefixes)


def _objects(s3: Any, running: Running, start: datetime, end: datetime) -> Iterator[tuple[str, int]]:
    days: list[date] = [start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1)]
    for day, prefix in product(days, running.prefixes):
        with inference_logs.readable(running.captures):
            listed = row_objects.list_sizes(s3, running.captures.bucket, f"{prefix}{day:%Y/%m/%d}/")
        for key, size in listed.items():
            hour = _hour_of(key, running)
            if hour is not None and start <= hour < end:
                yield key, size


def _hour_of(key: str, running: Running) -> datetime | None:
    hour = hour_of_key(key) if key.endswith(SOURCES[running.source].extension) else None
    return hour.replace(tzinfo=UTC) if hour else None
