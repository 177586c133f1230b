"""The clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime


def wall_clock() -> datetime:
    """Now, for what is compared between processes, such as who holds a lease; windows and decisions take logical times."""
    return datetime.now(UTC)
