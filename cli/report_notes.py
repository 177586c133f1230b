"""What a report says of a whole column, said once more with the file's name and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def order_notes(sorted_by: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each file whose rows stand in the order of a column's values."""
    return [
        f"{path}: its rows are sorted by {', '.join(map(repr, names))}, so their order says little of how far rows repeat "
        "each other; write them in the order of time"
        for path, names in sorted_by.items()
        if names
    ]


def file_notes(report: Mapping[str, Any], window: str) -> list[str]:
    """A sentence for each column that has no value at all in the window."""
    notes = []
    for column in report["columns"]:
        name = column["name"]
        if column["missing_fraction"] == 1:
            notes.append(f"{window}: column {name!r} has no value in any row; mend what writes the file")
        elif column.get("unseen_fraction") == 1:
            notes.append(
                f"{window}: column {name!r} has no level that the baseline knows; check how its values are spelt, or "
                "renew the baseline"
            )
    return notes
