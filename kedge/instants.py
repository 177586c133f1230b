"""Instants as every message, report, item and key of Kedge writes them: ISO 8601, UTC, with Z."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(time: datetime) -> str:
    """Write an instant, to the second.

    >>> to_text(datetime.fromisoformat("2016-01-04T03:00:00.5+01:00"))
    '2016-01-04T02:00:00Z'
    """
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote, or any ISO 8601 instant with an offset.

    >>> from_text("2016-01-04T03:00:00+01:00") == from_text("2016-01-04T02:00:00Z")
    True
    """
    return datetime.fromisoformat(text).astimezone(UTC)
