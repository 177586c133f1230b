"""Instants as every message, item and key of Kedge writes them: ISO 8601, UTC, with Z."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(time: datetime) -> str:
    """`2016-01-04T02:00:00Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote, or any ISO 8601 instant with an offset."""
    return datetime.fromisoformat(text).astimezone(UTC)


def wall_clock() -> datetime:
    """Now, for what is compared between processes, such as who holds a lease; windows and decisions take logical times."""
    return datetime.now(UTC)
