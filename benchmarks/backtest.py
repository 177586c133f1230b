"""`kedge backtest` over two years of daily windows against pyarrow's reading of the same columns."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import data
from benchmarks.measure import best, run
from benchmarks.results import Figure, Section
from benchmarks.scale import Scale

COMMAND = "python -m benchmarks backtest"
WALL_TIMES_MAX, PEAK_MIB_MAX = 8.0, 1024.0
DAYS, BASELINE_DAYS = 820, 90
_START, _DAY = np.datetime64("2015-01-01", "us"), np.timedelta64(1, "D")
_READ = "import sys, pyarrow.parquet as pq\nfor _ in pq.ParquetFile(sys.argv[1], pre_buffer=False).iter_batches(65536, use_threads=False): pass"
_NOTES = (
    "Wall time and CPU of whole processes; the command uses all cores, reading one. In the quarter of an hour before its end the "
    "machine had a load of {:.1f}: where that is more than its cores, wall times are mostly waiting."
)


def section(work: Path, scale: Scale) -> Section:
    """Replay a history with labels under the three settings that the command compares by default."""
    path = write(work / f"history_{scale.large_rows}.parquet", rows=scale.large_rows)
    reading = best([sys.executable, "-c", _READ, str(path)])
    spent = run(
        [sys.executable, "-m", "cli", "backtest", "--data", str(path), "--time", "at", "--window", "1d", "--baseline-until",
         str(_START.astype("datetime64[D]") + BASELINE_DAYS), "--prediction", data.PREDICTION, "--label", "label"]
    )  # fmt: skip
    if spent.exit_code:
        raise RuntimeError(f"kedge backtest failed: {spent.output}")
    what = f"kedge backtest, {scale.large_rows:,} rows, {DAYS - BASELINE_DAYS} daily windows"
    figures = [
        Figure(f"pyarrow reads {scale.large_rows:,} rows of 23 columns", reading.wall_seconds, "s", COMMAND),
        Figure(f"pyarrow reads {scale.large_rows:,} rows of 23 columns, CPU", reading.cpu_seconds, "CPU s", COMMAND),
        Figure(what, spent.wall_seconds, "s", COMMAND),
        Figure(f"{what}, against reading", spent.wall_seconds / reading.wall_seconds, "times", COMMAND, WALL_TIMES_MAX),
        Figure(f"{what}, CPU of all cores", spent.cpu_seconds, "CPU s", COMMAND),
        Figure(f"{what}, CPU against reading", spent.cpu_seconds / reading.cpu_seconds, "times", COMMAND),
        Figure(f"{what}, peak memory of its largest process", spent.peak_mib, "MiB", COMMAND, PEAK_MIB_MAX),
    ]
    return Section("A history replayed", figures, _NOTES.format(os.getloadavg()[2]))


def write(path: Path, *, rows: int) -> Path:
    """Write rows in the order of time, with a label that the score predicts, unless they are there."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part, rng = path.with_name(f".{path.name}.part"), np.random.default_rng(3)
    with pq.ParquetWriter(part, _dated(0, 0, rows, rng).schema) as writer:
        for start in range(0, rows, data.ROW_GROUP):
            writer.write_table(_dated(start, min(data.ROW_GROUP, rows - start), rows, rng))
    part.replace(path)
    return path


def _dated(start: int, rows: int, of: int, rng: np.random.Generator) -> pa.Table:
    made = data.make(rows, rng)
    times = _START + (np.arange(start, start + rows) * (DAYS * _DAY.astype("m8[us]").astype(float) / of)).astype(
        "m8[us]"
    )
    labels = rng.random(rows) < made.column(data.PREDICTION).to_numpy()
    return made.append_column("at", pa.array(times).cast(pa.timestamp("us", tz="UTC"))).append_column(
        "label", pa.array(labels.astype(np.int64))
    )
