"""`python -m benchmarks.cost.shapes [ROWS]`: CPU seconds for a million captured rows to be read and counted, by how requests carry them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.judging import frozen, model
from benchmarks.scale import Scale
from kedge.capture.records import parse_capture_files
from kedge.own_columns import HOUR
from kedge.profile.counting import count_rows_by_hour

ROUNDS = 3
KEY = "capture/bench/1/bench/AllTraffic/2026/01/01/00/a.jsonl"
Rows = Sequence[Sequence[Any]]


def quoted(values: Sequence[Any]) -> str:
    """A line of CSV with each text in quotes."""
    return ",".join(f'"{value}"' if isinstance(value, str) else f"{value}" for value in values)


# By name: the rows of a request, the media type, and the request's text.
SHAPES: dict[str, tuple[int, str, Callable[[Rows, Sequence[str]], str]]] = {
    "CSV, a row in a request": (1, "text/csv", lambda rows, names: ",".join(map(str, rows[0]))),
    "CSV, a row in a request, texts in quotes": (1, "text/csv", lambda rows, names: quoted(rows[0])),
    "CSV, 50 rows in a request": (50, "text/csv", lambda rows, names: "\n".join(",".join(map(str, row)) for row in rows)),
    "JSON, an object": (1, "application/json", lambda rows, names: json.dumps(dict(zip(names, rows[0], strict=True)))),
    "JSON, 50 lists in `instances`": (50, "application/json", lambda rows, names: json.dumps({"instances": rows})),
}  # fmt: skip


def captured(shape: str, rows: Rows, names: Sequence[str]) -> bytes:
    """An object of captures, of requests of this shape."""
    many, kind, written = SHAPES[shape]
    lines = []
    for start in range(0, len(rows), many):
        of_request = rows[start : start + many]
        answer = "\n".join(["0.5"] * len(of_request)) if kind == "text/csv" else json.dumps([0.5] * len(of_request))
        encoding = "CSV" if kind == "text/csv" else "JSON"
        sides = (("endpointInput", "INPUT", written(of_request, names)), ("endpointOutput", "OUTPUT", answer))
        found = {
            side: {"observedContentType": kind, "mode": mode, "data": text, "encoding": encoding}
            for side, mode, text in sides
        }
        metadata = {"eventId": f"{start:036d}", "inferenceTime": "2026-01-01T00:10:00Z"}
        lines.append(json.dumps({"captureData": found, "eventMetadata": metadata, "eventVersion": "0"}))
    return "\n".join(lines).encode()


def measure(rows: int, *, rounds: int = ROUNDS) -> dict[str, float]:
    """CPU seconds for a million rows of each shape, the best of some rounds in turn.

    Raises
    ------
    RuntimeError
        Not every row was counted.
    """
    config, baseline = model(), frozen(Scale.tiny())
    table = data.make(rows, np.random.default_rng(3))
    columns = (table.column(name).to_pylist() for name in config.feature_names)
    values = [list(row) for row in zip(*columns, strict=True)]
    contents = {shape: captured(shape, values, config.feature_names) for shape in SHAPES}
    taken = dict.fromkeys(SHAPES, float("inf"))
    for shape in [*SHAPES] * rounds:
        started = time.process_time()
        found = parse_capture_files([(KEY, contents[shape])], config).table
        hours = count_rows_by_hour(baseline, found, found.column(HOUR).to_numpy())
        taken[shape] = min(taken[shape], (time.process_time() - started) * 1e6 / rows)
        if (counted := sum(profile.rows for profile in hours.values())) != rows:
            raise RuntimeError(f"{shape}: {counted} of {rows} rows were counted")
    return taken


if __name__ == "__main__":
    for name, seconds in measure(int(sys.argv[1]) if sys.argv[1:] else 20_000).items():
        print(f"{name}: {seconds:.1f} CPU seconds for a million rows")
