"""What falls short and is known to: each with its reason. A walk counts it, under "said", and does not fail for it."""

from __future__ import annotations

import re

# By the kind, and by what the case and its finding say.
SAID: tuple[tuple[str, str, str], ...] = ()


def is_said(kind: str, finding: str) -> bool:
    """Tell whether a finding, with its case before it, is one of those."""
    return any(kind == known and re.search(pattern, finding) for known, pattern, _ in SAID)
