"""Time as the functions write, read and take it."""

from __future__ import annotations

from datetime import UTC, datetime

from kedge.instants import from_text, to_text

__all__ = ["from_text", "to_text", "wall_clock"]


def wall_clock() -> datetime:
    """Now, for what is compared between processes, such as who holds a lease; windows and decisions take logical times."""
    return datetime.now(UTC)
