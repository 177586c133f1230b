"""What it costs to have Evidently look at the same rows: a container function for each endpoint, which some build in place of Model Monitor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import data
from benchmarks.measure import run
from benchmarks.peers import SILENCE, environment, peer_command
from benchmarks.results import machine
from benchmarks.scale import Scale
from cli.written_files import write_all
from kedge.config.prices import USD
from kedge.cost.work import MIB_A_CORE

FILE = Path(__file__).with_name("evidently.json")
PEER = "evidently"
# Lambda's largest function.
MIB_MAX = 10_240


@dataclass(frozen=True)
class Report:
    """CPU seconds and memory of its drift report of one file against another, by the rows of a window; and who measured them."""

    start_cpu_seconds: float
    row_cpu_seconds: float
    start_mib: float
    row_mib: float
    reference_rows: int
    machine: str

    def usd(self, rows: float, objects: float) -> float | None:
        """USD of a run over this many rows in this many objects of captures; None where no function has the memory.

        A second of a whole core costs the same in a function with a share of one, which takes longer.
        """
        mib = self.start_mib + self.row_mib * rows
        if mib > MIB_MAX:
            return None
        gb_seconds = (self.start_cpu_seconds + self.row_cpu_seconds * rows) * max(mib, MIB_A_CORE) / 1024
        return gb_seconds * USD["Lambda GB-second"] + USD["Lambda request"] + objects * USD["S3 read"]


def kept_report() -> Report:
    """What was measured last."""
    return Report(**json.loads(FILE.read_text(encoding="utf-8")))


def measure_report(work: Path, scale: Scale) -> None:
    """Measure it at two sizes and keep that; what was kept stays where Evidently cannot be installed.

    Raises
    ------
    RuntimeError
        Its report fails.
    """
    python, reason = environment(PEER)
    if python is None:
        print(f"{PEER} was not measured anew: {reason}")
        return
    sizes = (scale.rows // 100, scale.rows)
    reference = data.write(work / f"reference-{scale.reference_rows}.parquet", rows=scale.reference_rows, seed=1)
    windows = [data.write(work / f"window-{rows}.parquet", rows=rows, seed=2) for rows in sizes]
    few, many = (run(peer_command(python, PEER, reference, window), environment=SILENCE) for window in windows)
    if few.exit_code or many.exit_code:
        raise RuntimeError(f"{PEER} failed: {(few.output + many.output)[-500:]}")
    rows = sizes[1] - sizes[0]
    cpu, mib = (many.cpu_seconds - few.cpu_seconds) / rows, (many.peak_mib - few.peak_mib) / rows
    starts = few.cpu_seconds - cpu * sizes[0], few.peak_mib - mib * sizes[0]
    start_cpu, row_cpu, start_mib, row_mib = (float(f"{each:.4g}") for each in (starts[0], cpu, starts[1], mib))
    found = Report(start_cpu, row_cpu, start_mib, row_mib, scale.reference_rows, machine()["processor"])
    write_all({FILE: json.dumps(asdict(found), indent=1) + "\n"})
