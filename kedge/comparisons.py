"""Two values of one metric in words: what it was, what it is, and whether that is better or worse."""

from __future__ import annotations

import math

from kedge.config.metrics import Direction

_THOUSAND, _SMALL, _SMALLEST = 1000, 0.1, 1e-6
# Beyond this many further digits two values are told as equal.
_FINEST = 3


def in_words(value: float, finer: int = 0) -> str:
    """A figure of a sentence: four digits that count and three decimals at most, two digits that count below a tenth.

    So a small difference is never told as 0. Reports and timelines in JSON keep all digits.

    Parameters
    ----------
    finer : int
        How many decimals more.

    >>> in_words(43.812), in_words(0.71234), in_words(0.03456), in_words(12345.6), in_words(-0.0)
    ('43.81', '0.712', '0.035', '12,346', '0')
    >>> in_words(0.0003643), in_words(0.005), in_words(-1.5e-9), in_words(0.71234, finer=1)
    ('0.00036', '0.005', '-1.5e-09', '0.7123')
    """
    size = abs(value)
    if not math.isfinite(value) or 0 < size < _SMALLEST:
        return f"{value:.2g}"
    decimals = 0
    if 0 < size < _THOUSAND:
        first = math.floor(math.log10(size))  # the place of the first digit that counts
        decimals = 3 - max(first, 0) if size >= _SMALL else 1 - first
    text = f"{value + 0.0:,.{decimals + finer}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def figures(*values: float) -> tuple[str, ...]:
    """Figures that are read beside each other, with as many decimals as it takes to tell those that differ apart.

    >>> figures(0.931, 0.277), figures(0.71234, 0.71241), figures(0.5, 0.5)
    (('0.931', '0.277'), ('0.7123', '0.7124'), ('0.5', '0.5'))
    """
    for finer in range(_FINEST + 1):
        told = tuple(in_words(value, finer) for value in values)
        if len(set(told)) == len(set(values)):
            return told
    return tuple(in_words(value) for value in values)


def percent(fraction: float) -> str:
    """A fraction (0 to 1) in percent, with one decimal; with two digits that count where it is small.

    >>> percent(0.123), percent(0.0004), percent(0.0), percent(1.0)
    ('12.3%', '0.04%', '0%', '100%')
    """
    value = 100 * fraction
    return f"{in_words(value if abs(value) < 1 else round(value, 1))}%"


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
    was, now = figures(before, after)
    return f"{name} {was} -> {now} ({_word(before, after, side)})"


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
    >>> by_how_much(0.0, 0.0, 0.0)
    'unchanged'
    """
    if gain == low == high == 0:
        return "unchanged"
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
    if before == after or len(set(figures(before, after))) == 1:
        return "unchanged"
    if side == "same":
        return "higher" if after > before else "lower"
    return "better" if (after > before) == (side == "higher") else "worse"
