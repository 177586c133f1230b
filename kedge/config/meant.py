"""The name that was probably meant, for sentences about one that nobody knows."""

from __future__ import annotations

import difflib


def meant(name: str, known: tuple[str, ...]) -> str:
    """The end of such a sentence; empty where no known name is like it.

    >>> meant("agee", ("age", "income")), meant("x", ("age",))
    ('; did you mean age?', '')
    """
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
