"""The history built again from what is kept anyway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdas.steps.mend_history import mend

# Nothing that Kedge has written is older.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def rebuild_history(s3: Any, bucket: str, model: str | None) -> str:
    """Write what the history lacks from the first report on; return what was done, in a sentence."""
    found = mend(s3, bucket, since=BEGINNING, model=model)
    return (
        f"written into the history: {found.windows:,} windows, {found.decisions:,} entries of the timeline, "
        f"{found.days:,} days of answers; the rest was there"
    )
