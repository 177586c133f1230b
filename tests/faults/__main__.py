"""Walk everything: `make faults`. With WORDS, the cases whose name holds each of them; with --sample, so many of each story."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.faults.walks import Walker


def main() -> int:
    """Print each case as it ends, then the table; fail where anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    walker = Walker(
        per_story=given.sample, seed=given.seed, only=tuple(given.words), tell=lambda line: print(line, flush=True)
    )
    try:
        walker.walk()
    finally:
        print(f"\n{walker.table.text()}")
        walker.table.write(Path("build/faults.json"))
    return bool(walker.table.findings())


if __name__ == "__main__":
    sys.exit(main())
