"""Parquet to profile against pyarrow's reading of the same columns, and the memory that both take."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import data
from benchmarks.judging import frozen
from benchmarks.measure import Spent, run
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale
from kedge.profile.baseline import Baseline
from kedge.profile.counting import count_batches
from kedge.profile.encoding import decode_baseline, encode_baseline

COMMAND = "python -m benchmarks counting"
RATIO_MAX, PEAK_MIB_MAX = 3.0, 400.0
BATCH_ROWS = 65_536
_ROUNDS = 5


def section(work: Path, scale: Scale) -> Section:
    """Count a file of some and one of many rows in the cells of a reference, and read the same files."""
    baseline = work / "baseline.npz"
    baseline.parent.mkdir(parents=True, exist_ok=True)
    baseline.write_bytes(encode_baseline(frozen(scale)))
    figures, peaks = [], []
    for rows in (scale.rows, scale.large_rows):
        path = data.write(work / f"window_{rows}.parquet", rows=rows, seed=2)
        (reading, counting), spent = measured(path, baseline)
        peaks.append(spent.peak_mib)
        figures += [
            Figure(f"pyarrow reads {rows:,} rows of {len(data.COLUMNS)} columns", reading, "CPU s", COMMAND),
            Figure(f"Parquet to profile, {rows:,} rows", counting, "CPU s", COMMAND),
            Figure(f"to profile against reading, {rows:,} rows", counting / reading, "times", COMMAND, RATIO_MAX),
            Figure(f"peak memory of both, {rows:,} rows", spent.peak_mib, "MiB", COMMAND, PEAK_MIB_MAX),
        ]
    size = len(encode_baseline(frozen(scale))) / 1024
    figures.append(Figure(f"the baseline of {scale.reference_rows:,} rows, stored", size, "KiB", COMMAND))
    return Section("Parquet to profile", figures, _notes(peaks))


def measured(path: Path, baseline: Path) -> tuple[tuple[float, float], Spent]:
    """CPU seconds of reading and of reading and counting, in a process of their own, and what that process took."""
    spent = run([sys.executable, "-m", "benchmarks.counting", str(path), str(baseline)])
    if spent.exit_code:
        raise RuntimeError(f"counting {path} failed: {spent.output}")
    found = json.loads(spent.output.splitlines()[-1])
    return (found["reading"], found["counting"]), spent


def measure(path: Path, baseline: Baseline, *, rounds: int) -> dict[str, float]:
    """CPU seconds of both, the best of some rounds in turn: whatever else the machine does only adds."""
    spent: dict[str, list[float]] = {"reading": [], "counting": []}
    for _ in range(rounds):
        started = time.process_time()
        for _ in batches(path):
            pass
        read = time.process_time()
        count_batches(baseline, batches(path))
        spent["reading"].append(read - started)
        spent["counting"].append(time.process_time() - read)
    return {name: min(seconds) for name, seconds in spent.items()}


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The file's rows on one thread, strings as dictionaries."""
    # Buffered ahead, the whole file would be held in memory.
    file = pq.ParquetFile(path, read_dictionary=list(data.CATEGORICAL), pre_buffer=False)
    yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(data.COLUMNS), use_threads=False)


def _notes(peaks: list[float]) -> str:
    return (
        f"One thread, strings read as dictionaries, batches of {BATCH_ROWS:,} rows, the best of {_ROUNDS} rounds in turn. From the "
        f"smaller to the larger file the peak grows by {max(peaks[-1] - peaks[0], 0):.0f} MiB; the libraries alone take about 120."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("baseline", type=Path)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    print(json.dumps(measure(arguments.path, decode_baseline(arguments.baseline.read_bytes()), rounds=_ROUNDS)))
