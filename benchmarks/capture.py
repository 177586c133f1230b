"""Data Capture's JSON lines to a day's profiles: rows per CPU second."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks import data
from benchmarks.judging import frozen, model
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from kedge.capture.records import parse_capture_files
from kedge.config.model import ModelConfig
from kedge.own_columns import HOUR
from kedge.profile.counting import count_rows_by_hour

COMMAND = "python -m benchmarks capture"
ROWS_PER_SECOND_MIN = 100_000
# Data Capture writes an object every few minutes; a busy endpoint's holds some megabytes.
OBJECT_ROWS, OBJECTS_MAX = 20_000, 10
_REPEATS = 3


def section(work: Path, scale: Scale) -> Section:
    """Parse and count the objects of some hours."""
    del work
    config, baseline = model(), frozen(scale)
    files = captured(config, rows=min(scale.rows, OBJECT_ROWS * OBJECTS_MAX))
    rows, spent = 0, []
    for _ in range(_REPEATS):
        started = time.process_time()
        table = parse_capture_files(files, config).table
        hours = count_rows_by_hour(baseline, table, table.column(HOUR).to_numpy())
        spent.append(time.process_time() - started)
        rows = sum(profile.rows for profile in hours.values())
    megabytes = sum(len(content) for _, content in files) / 1e6
    what = f"JSON lines with CSV payloads of {len(config.features)} columns to profiles, {rows:,} rows ({megabytes:.0f} MB)"
    return Section(
        "Data Capture to profile",
        [Figure(what, rows / min(spent), "rows per CPU s", COMMAND, ROWS_PER_SECOND_MIN, more_is_better=True)],
    )


def captured(config: ModelConfig, *, rows: int) -> list[tuple[str, bytes]]:
    """Objects as Data Capture writes them, one an hour."""
    table = data.make(rows, np.random.default_rng(3))
    features = zip(*(table.column(name).to_pylist() for name in config.feature_names), strict=True)
    answers = table.column(data.PREDICTION).to_pylist()
    lines = [_line(row, values, answer) for row, (values, answer) in enumerate(zip(features, answers, strict=True))]
    starts = range(0, rows, OBJECT_ROWS)
    return [
        (
            f"capture/bench/1/bench/AllTraffic/2026/01/01/{hour % 24:02}/{hour}.jsonl",
            "\n".join(lines[s : s + OBJECT_ROWS]).encode(),
        )
        for hour, s in enumerate(starts)
    ]


def _line(row: int, values: tuple[object, ...], answer: float) -> str:
    sides = (("endpointInput", "INPUT", ",".join(map(str, values))), ("endpointOutput", "OUTPUT", str(answer)))
    found = {
        side: {"observedContentType": "text/csv", "mode": mode, "data": text, "encoding": "CSV"}
        for side, mode, text in sides
    }
    hour = row // OBJECT_ROWS % 24
    when = datetime(2026, 1, 1, hour, row // 60 % 60, row % 60, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"eventId": f"event-{row}", "inferenceId": f"id-{row}", "inferenceTime": when}
    return json.dumps({"captureData": found, "eventMetadata": about, "eventVersion": "0"})
