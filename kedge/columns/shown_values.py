"""Whether sentences, which leave the account, may show a column's values, and what they show instead."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.config.sections import Feature

# A column with more levels than this may hold names, towns or mail addresses.
LEVELS_SHOWN = 100


def hides_values(column: str, levels: int, features: Sequence[Feature]) -> bool:
    """Whether a column's values stay out of sentences: as its feature says, else if it has many levels.

    Parameters
    ----------
    levels : int
        Levels of the column; 0 for a number.
    features : sequence of Feature
        The model's features; for any other column only its number of levels counts.

    >>> town = Feature(name="town", kind="categorical")
    >>> hides_values("town", 12, [town]), hides_values("town", 101, [town])
    (False, True)
    >>> hides_values("town", 12, [town.model_copy(update={"sensitive": True})])
    True
    """
    said = next((feature.sensitive for feature in features if feature.name == column), None)
    return levels > LEVELS_SHOWN if said is None else said


def place_of(kind: str, place: int, of: int) -> str:
    """A level or a band by its place, counted from 0 on: levels in the order of their frequency, bands upwards.

    >>> place_of("level", 2, 12)
    'level 3 of 12'
    """
    return f"{kind} {place + 1} of {of}"
