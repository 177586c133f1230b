"""Two values of one metric in words: what it was, what it is, and whether that is better or worse."""

from __future__ import annotations

from kedge.metric_names import Direction

_THOUSAND = 1000


def in_words(value: float) -> str:
    """A number with four digits that count, and a separator between thousands.

    >>> in_words(43.8), in_words(0.03456), in_words(12345.6), in_words(-0.0)
    ('43.8', '0.03456', '12,346', '0')
    """
    return f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value + 0.0:.4g}"


def counted(number: int, thing: str) -> str:
    """So many of a thing, with a separator between thousands and the right number.

    >>> counted(1, "row"), counted(12345, "row"), counted(0, "row")
    ('1 row', '12,345 rows', '0 rows')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def change(name: str, before: float, after: float, side: Direction) -> str:
    """The metric's name, both values, and the word that says which way it went.

    >>> change("mae", 43.8, 67.5, "lower"), change("auc", 0.71, 0.74, "higher")
    ('mae 43.8 -> 67.5 (worse)', 'auc 0.71 -> 0.74 (better)')
    >>> change("bias", -3.0, 1.0, "zero"), change("base_rate", 0.1, 0.3, "same")
    ('bias -3 -> 1 (better)', 'base_rate 0.1 -> 0.3 (higher)')
    """
    return f"{name} {in_words(before)} -> {in_words(after)} ({_word(before, after, side)})"


def by_how_much(gain: float, low: float, high: float) -> str:
    """A gain with its interval, as better and worse instead of plus and minus.

    Parameters
    ----------
    gain, low, high : float
        In the metric's unit; above zero is better, whichever way the metric goes.

    >>> by_how_much(-23.7, -27.0, -20.4)
    'worse by 23.7 (between 20.4 and 27 worse)'
    >>> by_how_much(0.3, -0.5, 1.1)
    'better by 0.3 (between 0.5 worse and 1.1 better)'
    """
    if min(low, high) >= 0:
        between = f"between {in_words(low)} and {in_words(high)} better"
    elif max(low, high) <= 0:
        between = f"between {in_words(-high)} and {in_words(-low)} worse"
    else:
        between = f"between {in_words(-low)} worse and {in_words(high)} better"
    word = "unchanged" if gain == 0 else f"{'better' if gain > 0 else 'worse'} by {in_words(abs(gain))}"
    return f"{word} ({between})"


def _word(before: float, after: float, side: Direction) -> str:
    if side == "zero":
        before, after, side = abs(before), abs(after), "lower"
    if in_words(before) == in_words(after):
        return "unchanged"
    if side == "same":
        return "higher" if after > before else "lower"
    return "better" if (after > before) == (side == "higher") else "worse"
