"""The name that was probably meant, for sentences about one that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of such a sentence; `otherwise`, which may be empty, where no known name is like it.

    >>> meant("agee", ("age", "income")), meant("x", ("age",), "they are age"), meant("x", ("age",))
    ('; did you mean age?', '; they are age', '')
    """
    near = difflib.get_close_matches(name, known, n=1)
    said = f"did you mean {near[0]}?" if near else otherwise
    return f"; {said}" if said else ""
