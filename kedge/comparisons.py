"""Two values of one metric in words: before, after, and whether that is better or worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedge.config.metrics import Direction

_THOUSAND, _SMALL, _SMALLEST = 1000, 0.1, 1e-6
# Values that differ only beyond this many further digits are shown as equal.
_FINEST = 3


def in_words(value: float, finer: int = 0) -> str:
    """A figure in a sentence: four significant digits and three decimals at most, two significant digits below a tenth.

    So a small difference is never shown as 0. Reports and timelines in JSON keep all digits.

    Parameters
    ----------
    finer : int
        How many more decimals.

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
    """Figures that are read beside each other, with enough decimals to tell different ones apart.

    >>> figures(0.931, 0.277), figures(0.71234, 0.71241), figures(0.5, 0.5)
    (('0.931', '0.277'), ('0.7123', '0.7124'), ('0.5', '0.5'))
    """
    for finer in range(_FINEST + 1):
        told = tuple(in_words(value, finer) for value in values)
        if len(set(told)) == len(set(values)):
            return told
    return tuple(in_words(value) for value in values)


def figures_of(row: Mapping[str, Any]) -> str:
    """A row of the gate in a line: value, interval and limit, as the mail and the registry show them.

    >>> figures_of({"value": 0.0312, "low": 0.011, "high": 0.05, "limit": 0.01})
    '0.031 (0.011 to 0.05), limit 0.01'
    >>> figures_of({})
    'not measured'
    """
    if "value" not in row:
        return "not measured"
    ends = [row[name] for name in ("low", "high") if name in row]
    value, *rest = figures(float(row["value"]), *map(float, ends))
    interval = f" ({rest[0]} to {rest[1]})" if len(rest) == 2 else f" (from {rest[0]})" if rest else ""
    limit = f", limit {in_words(float(row['limit']))}" if "limit" in row else ""
    return f"{value}{interval}{limit}"


def percent(fraction: float) -> str:
    """A fraction (0 to 1) in percent, with one decimal; with two significant digits if it is small.

    >>> percent(0.123), percent(0.0004), percent(0.0), percent(1.0)
    ('12.3%', '0.04%', '0%', '100%')
    """
    value = 100 * fraction
    return f"{in_words(value if abs(value) < 1 else round(value, 1))}%"


def counted(number: int, thing: str) -> str:
    """A number of things, with a separator between thousands and the right plural.

    >>> counted(1, "row"), counted(12345, "row"), counted(0, "row")
    ('1 row', '12,345 rows', '0 rows')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def change(name: str, before: float, after: float, side: Direction) -> str:
    """The metric's name, both values, and whether it became better or worse.

    >>> change("mae", 43.8, 67.5, "lower"), change("auc", 0.71, 0.74, "higher")
    ('mae 43.8 -> 67.5 (worse)', 'auc 0.71 -> 0.74 (better)')
    >>> change("bias", -3.0, 1.0, "zero"), change("base_rate", 0.1, 0.3, "same")
    ('bias -3 -> 1 (better)', 'base_rate 0.1 -> 0.3 (higher)')
    """
    was, now = figures(before, after)
    return f"{name} {was} -> {now} ({_word(before, after, side)})"


@dataclass(frozen=True)
class Difference:
    """How a metric differs between two models, with the interval of that difference.

    Parameters
    ----------
    side : Direction
        Where the metric is best.
    before, after : float
        The metric of one model and of the other.
    gain, low, high : float
        How much better the second one is, and the interval; above zero is better, whichever way the metric goes.
    rows : int
        Rows that both models answered, or either.
    one_row : str
        What one of them is called.

    >>> Difference("mae", "lower", 43.8, 67.5, -23.7, -27.0, -20.4, 1616).words
    'mae is 23.7 higher (43.8 -> 67.5, worse; interval +20.4 to +27 on 1,616 paired rows)'
    >>> Difference("auc", "higher", 0.5, 0.5, 0.0, 0.0, 0.0, 9).words
    'auc is unchanged (0.5 -> 0.5; interval 0 to 0 on 9 paired rows)'
    """

    name: str
    side: Direction
    before: float
    after: float
    gain: float
    low: float
    high: float
    rows: int
    one_row: str = "paired row"

    @property
    def words(self) -> str:
        """The difference in a sentence, in the metric's own direction."""
        was, now = figures(self.before, self.after)
        better = _word(self.before, self.after, self.side)
        rows = counted(self.rows, self.one_row)
        if better == "unchanged":
            found = f"unchanged ({was} -> {now}"
        else:
            way = "higher" if self.after > self.before else "lower"
            found = f"{in_words(abs(self.gain))} {way} ({was} -> {now}, {better}"
        ends = (self.low, self.high) if self.side == "higher" else (-self.high, -self.low)
        return f"{self.name} is {found}; interval {signed(ends[0])} to {signed(ends[1])} on {rows})"

    def needed(self, least: float) -> str:
        """The smallest difference that is enough, `least` in the metric's unit, in the metric's own direction."""
        return f"at least {signed(least)}" if self.side == "higher" else f"at most {signed(-least)}"


def signed(value: float) -> str:
    """A figure with its sign.

    >>> signed(0.01), signed(-0.0073), signed(0.0)
    ('+0.01', '-0.0073', '0')
    """
    return f"+{in_words(value)}" if value > 0 else in_words(value)


def _word(before: float, after: float, side: Direction) -> str:
    if side == "zero":
        before, after, side = abs(before), abs(after), "lower"
    if before == after or len(set(figures(before, after))) == 1:
        return "unchanged"
    if side == "same":
        return "higher" if after > before else "lower"
    return "better" if (after > before) == (side == "higher") else "worse"
