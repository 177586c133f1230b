"""`python -m benchmarks [section ...]`: measure, and write benchmarks/RESULTS.md; other sections stay as they were."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.results import RESULTS, Figure, Section, write
from benchmarks.scale import Scale
from cli.written_files import write_all

# In the order of RESULTS.md.
SECTIONS = (
    "counting", "peers", "backtest", "judging", "capture", "label_join", "estimation", "cold_start", "false_alarms", "gate", "fleet",
    "cost",
)  # fmt: skip
WORK = ROOT / "build" / "bench"


def main(names: list[str], *, scale: Scale, work: Path, results: Path = RESULTS) -> None:
    """Run the sections asked for, keep what each found, and write the page from all that are kept."""
    for name in names:
        print(f"measuring {name} ...", flush=True)
        section = import_module(f"benchmarks.{name}").section(work, scale)
        write_all({_kept(work, name): json.dumps(asdict(section))})
    write([_read(_kept(work, name)) for name in SECTIONS if _kept(work, name).exists()], path=results)
    print(f"wrote {results}")


def _kept(work: Path, name: str) -> Path:
    return work / "sections" / f"{name}.json"


def _read(path: Path) -> Section:
    found = json.loads(path.read_text(encoding="utf-8"))
    return Section(found["title"], [Figure(**figure) for figure in found["figures"]], found["notes"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--rows", type=int, default=Scale.rows, help="rows of a window")
    arguments = parser.parse_args()
    main(arguments.sections or list(SECTIONS), scale=Scale(rows=arguments.rows), work=WORK)
