"""How many false alarms a model may raise in a year, and the share of one window."""

from __future__ import annotations

from datetime import timedelta

# Without drift at most one window in a hundred alarms, even if a year has few windows.
LEVEL_MAX = 0.01
_YEAR = timedelta(days=365)


def window_level(episodes_per_year: float, window: timedelta) -> float:
    """Probability that one window alarms although nothing has drifted, 0 to 0.01.

    The budget divided by the number of windows in a year that do not overlap (Bonferroni). Windows that overlap share
    their rows, and so their false alarms, which count as one episode. The level is at most 0.01: a window a month with a budget of
    one a year would get 0.08, and people do not trust a monitor if every twelfth report is wrong. Two files without
    times are one comparison; how often it is made is unknown, so they get 0.01.

    Parameters
    ----------
    episodes_per_year : float
        False alarm episodes that a model may raise in a year.
    window : timedelta
        Length of a window; zero if the rows have no times.

    >>> window_level(1.0, timedelta(days=1)) == 1 / 365
    True
    >>> window_level(1.0, timedelta(days=28)), window_level(1.0, timedelta(0))
    (0.01, 0.01)
    """
    return min(episodes_per_year * (window / _YEAR), LEVEL_MAX) if window else LEVEL_MAX
