"""Labels that arrive and are of no use: those that match no row, and those that are no class or number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.comparisons import counted

# Fewer may be a test or a slip of the hand.
LOST_MINIMUM, LOST_FRACTION = 10, 0.2


def label_losses(join: Mapping[str, Any], classes: tuple[str, ...]) -> dict[str, str]:
    """Say what is wrong where labels are lost, at least a fifth as many as are of use; empty where nothing is.

    Parameters
    ----------
    join : mapping
        The performance report's "join": labels of the window's rows, and of those collected of late.
    classes : tuple of str
        The YAML's `labels.classes`; empty for a regression.

    >>> label_losses({"labelled_rows": 5, "labels_unmatched": 1200}, ())["unmatched"][:50]
    '1,200 labels that came lately match no request, an'
    >>> label_losses({"labelled_rows": 900, "labels_unmatched": 40}, ())
    {}
    """
    found: dict[str, str] = {}
    useful = int(join.get("labelled_rows", 0))
    many = max(LOST_MINIMUM, LOST_FRACTION * useful)
    unmatched, strange = int(join.get("labels_unmatched", 0)), int(join.get("labels_strange", 0))
    if unmatched >= many:
        found["unmatched"] = (
            f"{counted(unmatched, 'label')} that came lately match no request, and {counted(useful, 'row')} "
            "of the window have one: a label's eventId must be the InferenceId of its request, or the captured event id where "
            "the request had none"
        )
    if strange >= many:
        known = f"none of the classes ({', '.join(classes)})" if classes else "no number"
        remedy = "spelt as in labels.classes of the model's YAML" if classes else "as plain numbers"
        found["strange"] = (
            f"{counted(strange, 'label')} of the window's rows are {known}, {useful:,} can be used: send them again, {remedy}"
        )
    return found
