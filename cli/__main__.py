"""`python -m cli` is `kedge`."""

import os
import sys
from contextlib import suppress

from cli.lean_start import import_lean, prefer_what_is_fast

# Those that do nothing but count and judge; the others may use what is left out.
COUNTING = ("check", "backtest")


def main() -> None:
    """Run the command."""
    typed = sys.argv[1] if len(sys.argv) > 1 else ""
    counts = typed in COUNTING
    if counts:
        prefer_what_is_fast()
        import_lean()
    from cli.commands import commands

    try:
        commands(typed)(prog_name="kedge")
    except SystemExit as ended:
        if not counts or not isinstance(ended.code, int):
            raise
        _leave(ended.code)


def _leave(code: int) -> None:
    """End at once: all that was written is written, and to free every object takes a tenth of a second."""
    for stream in (sys.stdout, sys.stderr):
        # The reader may have closed the pipe.
        with suppress(BrokenPipeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
