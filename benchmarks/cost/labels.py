"""`python -m benchmarks.cost.labels LABELS [ROWS]`: a run of `measure_performance` that folds labels into one day of as many rows, or fewer."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from typing import Any

from benchmarks.cost.points import account, bytes_below
from tests.handlers.many_labels import answered_day, labels_of_rows
from tests.handlers.memory_watch import run_apart
from tests.handlers.monitor_world import MODEL, message

# The window that is measured holds no answers: what is left is the folding.
WINDOW = {"start": "2016-01-08T00:00:00Z", "end": "2016-01-09T00:00:00Z"}
EVENT = message({"model": MODEL, "time": "2016-01-09T02:00:00Z", "window": WINDOW})


def measure(labels: int, rows: int) -> dict[str, Any]:
    """What the run took: its memory, CPU seconds, calls and bytes, and what it stored."""
    with account():
        answered_day(date(2016, 1, 3), rows)
        labels_of_rows(datetime(2016, 1, 8, 5, tzinfo=UTC), 0, labels)
        found = run_apart("measure_performance", EVENT, seconds=36_000)
        return found | {"stored_bytes": {top: bytes_below(top) for top in ("labels", "labelled", "profiles")}}


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[-1])), indent=1))
