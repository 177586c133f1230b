"""Whether sentences, which leave the account, may show a column's values, and what they show instead."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

# A column with more levels than this may hold names, towns or mail addresses.
LEVELS_SHOWN = 100
# Two of fifty levels share such a mark once in three million columns.
_MARK_DIGITS = 8


def hides_values(column: str, levels: int, hidden: Mapping[str, bool]) -> bool:
    """Whether a column's values stay out of sentences: as the YAML says, else if it has many levels.

    Parameters
    ----------
    levels : int
        Levels of the column; 0 for a number.
    hidden : mapping of str to bool
        `ModelConfig.hidden`; for a column that is not in it only its number of levels counts.

    >>> hides_values("town", 12, {}), hides_values("town", 101, {}), hides_values("town", 12, {"town": True})
    (False, True, True)
    """
    return hidden.get(column, levels > LEVELS_SHOWN)


def mark_of(key: str, column: str, level: str) -> str:
    """A level by a mark that only who has the key can make from it.

    >>> mark_of("k", "gender", "f"), mark_of("k", "gender", "m"), mark_of("other", "gender", "f")
    ('level 55690d2b', 'level fead4cf9', 'level ea8b3bf3')
    """
    digest = hmac.new(key.encode(), json.dumps([column, level]).encode(), hashlib.sha256)
    return f"level {digest.hexdigest()[:_MARK_DIGITS]}"


def place_of(kind: str, place: int, of: int) -> str:
    """A level or a band by its place, counted from 0 on: levels in the order of their frequency, bands upwards.

    >>> place_of("level", 2, 12)
    'level 3 of 12'
    """
    return f"{kind} {place + 1} of {of}"
