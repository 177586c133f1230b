"""Walk everything: `make faults`. `python -m tests.faults WORDS` walks the cases whose name holds the words."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.faults.walks import Walker


def main() -> int:
    """Print each case as it ends, then the table; fail where anything fell short."""
    table = Walker(per_story=None, only=" ".join(sys.argv[1:]), tell=lambda line: print(line, flush=True)).walk()
    print(f"\n{table.text()}")
    table.write(Path("build/faults.json"))
    return bool(table.findings())


if __name__ == "__main__":
    sys.exit(main())
