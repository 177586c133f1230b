"""What falls short and is known to: each with its reason. A walk counts it, under "said", and does not fail for it."""

from __future__ import annotations

import re

# By the kind, and by what the case and its finding say.
SAID: tuple[tuple[str, str, str], ...] = (
    (
        "doubled",
        r"(Tell\w+: .* after its effect|tell, run \d+: (killed|its answer)).*: told twice",
        "a function that had told everything when its answer was lost tells once more, and does not know it",
    ),
)


def is_said(kind: str, finding: str) -> bool:
    """Tell whether a finding, with its case before it, is one of those.

    >>> case = "a judged Monday: TellFailed: States.Timeout after its effect, once: told twice"
    >>> is_said("doubled", case), is_said("silent", case)
    (True, False)
    """
    return any(kind == known and re.search(pattern, finding) for known, pattern, _ in SAID)
