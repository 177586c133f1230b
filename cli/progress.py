"""Progress of a long reading of files, on standard error and only in a terminal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Any

# A shorter wait needs no news.
QUIET_SECONDS = 2.0


@dataclass
class Progress:
    """The values read of each file, shown from the second on in which they begin to take long.

    Called with a file's name and the values just read of it, as `RowFiles.told`.
    """

    started: float = field(default_factory=time.monotonic)
    _bar: Any = None
    _tasks: dict[str, Any] = field(default_factory=dict)

    def __call__(self, name: str, values: int) -> None:
        """Hear of values that were read of a file."""
        if self._bar is None:
            if not sys.stderr.isatty() or time.monotonic() - self.started < QUIET_SECONDS:
                return
            self._bar = _bar()
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=None)
        self._bar.update(self._tasks[name], advance=values)

    def close(self) -> None:
        """Clear the display."""
        if self._bar is not None:
            self._bar.stop()


def _bar() -> Any:
    # Here, because a short check shows nothing and rich takes a tenth of a second to import.
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f} values read"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    shown.start()
    return shown
