"""Alerts about the monitor itself: what it could not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from report.alert_words import Message, bullets, section


def rows_uncounted(_model: str, detail: Mapping[str, Any]) -> Message:
    """Captured rows that no later run looks at."""
    days = detail["days"]
    return Message(
        f"captured rows of {len(days)} day{'s' if len(days) > 1 else ''} are not counted",
        (
            section("WHICH", bullets(f"{day}: {count} capture objects" for day, count in days.items())),
            section(
                "WHAT IT MEANS",
                "No run could count them in time, and later runs do not look back that far. Windows with these days are judged "
                "without the rows, and their labels find no row. Nothing is deleted: the capture objects are still there.",
            ),
            section(
                "WHAT TO DO",
                "See in the function's log (KedgeMonitoring, profile_logs) why it fails, and mend it. Then have the "
                f"days counted, since {detail['since']}: docs/operations.md, Count old days, says how.",
            ),
        ),
    )
