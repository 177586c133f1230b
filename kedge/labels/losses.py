"""Labels that arrive and cannot be used: their files or records cannot be read, they match no row, or are not a class or number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.comparisons import counted

# Fewer may be a test or a mistake.
LOST_MINIMUM, LOST_FRACTION = 10, 0.2
REASONS_SHOWN = 3


def label_losses(join: Mapping[str, Any], classes: tuple[str, ...]) -> dict[str, str]:
    """Say what is wrong if labels are lost, at least a fifth of the number of useful ones; else empty.

    Parameters
    ----------
    join : mapping
        The performance report's "join": labels of the window's rows, and those collected lately.
    classes : tuple of str
        The YAML's `labels.classes`; empty for a regression.

    >>> label_losses({"labelled_rows": 5, "labels_unmatched": 1200}, ())["unmatched"][:46]
    '1,200 labels that came lately match no request'
    >>> label_losses({"labelled_rows": 900, "labels_unmatched": 40}, ())
    {}
    >>> label_losses({"labelled_rows": 0, "labels_unreadable": {"labels/m/a.csv is not below yyyy/mm/dd/hh": 1}}, ())["unreadable"][:69]
    '1 label record that came lately cannot be read: labels/m/a.csv is not'
    """
    found: dict[str, str] = {}
    useful = int(join.get("labelled_rows", 0))
    many = max(LOST_MINIMUM, LOST_FRACTION * useful)
    unmatched, strange = int(join.get("labels_unmatched", 0)), int(join.get("labels_strange", 0))
    if unmatched >= many:
        found["unmatched"] = (
            f"{counted(unmatched, 'label')} that came lately match no request; {counted(useful, 'row')} "
            "of the window have a label: a label's eventId must be the InferenceId of its request, or the captured event id if "
            "the request had none"
        )
    if strange >= many:
        known = f"none of the classes ({', '.join(classes)})" if classes else "not numbers"
        remedy = "spelt as in labels.classes of the model's YAML" if classes else "as plain numbers"
        found["strange"] = (
            f"{counted(strange, 'label')} of the window's rows are {known}; {useful:,} can be used: send them again, {remedy}"
        )
    unreadable = join.get("labels_unreadable", {})
    # A file that lies where none is read is one, whatever it holds: where there is no other label, one is enough.
    if (broken := sum(unreadable.values())) >= many or (broken and not useful):
        some = "; ".join(f"{reason} ({count:,})" for reason, count in [*unreadable.items()][:REASONS_SHOWN])
        found["unreadable"] = (
            f"{counted(broken, 'label record')} that came lately cannot be read: {some}. Labels are JSON Lines below "
            "labels/MODEL/yyyy/mm/dd/hh/, a record a line"
        )
    return found
