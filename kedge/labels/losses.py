"""Labels that arrive and cannot be used: they match no row, or are not a class or number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.comparisons import counted

# Fewer may be a test or a mistake.
LOST_MINIMUM, LOST_FRACTION = 10, 0.2


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
    return found
