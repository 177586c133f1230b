"""`python -m benchmarks [section ...]`: measure, and write benchmarks/RESULTS.md; other sections stay as they were."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.results import RESULTS, write
from benchmarks.scale import Scale

# In the order of RESULTS.md.
SECTIONS = (
    "counting", "peers", "backtest", "judging", "capture", "label_join", "estimation", "cold_start", "false_alarms", "gate", "fleet",
    "cost",
)  # fmt: skip
WORK = ROOT / "build" / "bench"


def main(names: list[str], *, scale: Scale, work: Path, results: Path = RESULTS) -> None:
    """Run the sections asked for, and write each onto the page as soon as it is measured."""
    for name in names:
        print(f"measuring {name} ...", flush=True)
        write([import_module(f"benchmarks.{name}").section(work, scale)], path=results)
    print(f"wrote {results}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--rows", type=int, default=Scale.rows, help="rows of a window")
    arguments = parser.parse_args()
    main(arguments.sections or list(SECTIONS), scale=Scale(rows=arguments.rows), work=WORK)
