"""What a report says of a whole column, said once more with the file's name and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def file_notes(report: Mapping[str, Any], window: str) -> list[str]:
    """A sentence for each column that has no value at all in the window."""
    notes = []
    for column in report["columns"]:
        name = column["name"]
        if column["missing_fraction"] == 1:
            notes.append(f"{window}: column {name!r} has no value in any row; mend what writes the file")
        elif column.get("unparsable_fraction") == 1:
            notes.append(
                f"{window}: column {name!r} has no number in any row; write numbers, or renew the baseline if it is "
                "meant to hold text now"
            )
        elif column.get("unseen_fraction") == 1:
            notes.append(
                f"{window}: column {name!r} has no level that the baseline knows; check how its values are spelt, or "
                "renew the baseline"
            )
    return notes
