"""`python -m benchmarks.cost.folding ROWS OBJECTS KNOWN`: a run of `profile_logs` over new rows, in objects, behind known ids."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.cost.points import DAY, account, bytes_below
from kedge.capture.id_hashes import encode_hashes
from kedge.profile.day import encode_day
from lambdas.adapters.bucket import days, layout
from lambdas.adapters.bucket.counted_ids import hashes_key
from tests.handlers.aws_world import BUCKET
from tests.handlers.captured_rows import captured, put
from tests.handlers.memory_watch import run_apart
from tests.handlers.monitor_world import MODEL, Monitor, message

# As many as a batch of 32 MB holds.
IDS_A_PART = 50_000
EVENT = message({"model": MODEL, "time": "2016-01-04T00:30:00Z"})


def measure(rows: int, objects: int, known: int) -> dict[str, Any]:
    """What the run took: its memory, CPU seconds, calls and bytes, and what it wrote."""
    with account() as world:
        if known:
            know(world, known)
        captured(world, DAY, rows, name="b", object_rows=-(-rows // objects))
        found = run_apart("profile_logs", EVENT)
        return found | {"stored_bytes": {top: bytes_below(top) for top in ("capture", "predictions", "profiles")}}


def know(world: Monitor, ids: int) -> None:
    """Have the day hold ids of other rows."""
    captured(world, DAY, 24, object_rows=1)
    run_apart("profile_logs", EVENT)
    key, parts, random = layout.profile_day_key(MODEL, "1", "1", DAY), [], np.random.default_rng(1)
    for number in range(ids // IDS_A_PART):
        parts.append(f"predictions/{MODEL}/package=1/date={DAY}/k{number}.parquet")
        put(hashes_key(parts[-1]), encode_hashes(random.integers(2**64, size=IDS_A_PART, dtype=np.uint64)))
    day, _ = days.load_day(world.s3, BUCKET, key)
    put(key, encode_day(replace(day, parts=(*day.parts, *parts))))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    print(json.dumps(measure(*map(int, sys.argv[1:])), indent=1))
