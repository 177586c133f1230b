"""How many false alarms a model may raise in a year, and what that leaves to one window."""

from __future__ import annotations

from datetime import timedelta

# Without drift at most one window in a hundred alarms, however few windows a year has.
LEVEL_MAX = 0.01
_YEAR = timedelta(days=365)


def window_level(episodes_per_year: float, window: timedelta) -> float:
    """Probability with which one window may alarm where nothing has drifted, 0 to 0.01.

    The budget over the windows a year that do not overlap (Bonferroni): windows that do overlap share their rows, and so
    their false alarms, which are told as one episode. At most 0.01, for a window a month with a budget of one a year would
    be 0.08, and nobody believes a monitor of which every twelfth report is wrong. Two files without times are one
    comparison of which nobody knows how often it is made: they get the 0.01.

    Parameters
    ----------
    episodes_per_year : float
        False alarm episodes that a model may raise in a year.
    window : timedelta
        Length of a window; zero where the rows have no times.

    >>> window_level(1.0, timedelta(days=1)) == 1 / 365
    True
    >>> window_level(1.0, timedelta(days=28)), window_level(1.0, timedelta(0))
    (0.01, 0.01)
    """
    return min(episodes_per_year * (window / _YEAR), LEVEL_MAX) if window else LEVEL_MAX
