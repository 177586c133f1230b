"""Numbers that many rows share, found before any cell is looked for: those with few decimals, and a common one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Tried on the first rows only: most columns that are not whole are found out by these.
_SCALES, _HEAD_ROWS = np.array([[1.0], [10.0], [100.0], [1000.0]]), 64
_SPAN = 2**18
_COMMON_FRACTION = 0.25
_LARGEST_WHOLE = 2.0**52


def few_values(values: Floats) -> tuple[Floats, Ints] | None:
    """The different values and the rows of each; None where they are not multiples of 0.001 or lie far apart.

    Counting whole numbers is several times as fast as finding each value's cell, and what is measured in the world is
    mostly written with few decimals.

    Parameters
    ----------
    values : ndarray of float, shape (n_rows,)
        All of them finite.

    >>> [part.tolist() for part in few_values(np.array([0.5, 0.1, 0.5, -0.0, 0.2] * 2))]
    [[0.0, 0.1, 0.2, 0.5], [2, 2, 2, 4]]
    >>> few_values(np.array([0.5, 1 / 3])) is None
    True
    """
    head = values[:_HEAD_ROWS]
    with np.errstate(over="ignore"):
        fits = (np.rint(head * _SCALES) / _SCALES == head).all(axis=1)
    if not len(values) or not fits.any():
        return None
    scale = float(_SCALES[fits.argmax(), 0])
    with np.errstate(over="ignore"):
        whole = np.rint(values * scale)
    low, high = float(whole.min()), float(whole.max())
    is_close = high - low < min(_SPAN, 2 * len(values)) and max(abs(low), abs(high)) < _LARGEST_WHOLE
    # Only if every value comes back bit for bit do the whole numbers stand for them.
    if not is_close or not (whole / scale == values).all():
        return None
    whole -= low
    rows = np.bincount(whole.astype(np.int64))
    used = np.flatnonzero(rows)
    return np.asarray((used + low) / scale, np.float64), rows[used].astype(np.int64)


def common_value(values: Floats) -> float | None:
    """A value that many rows share, as the zeros of sales or rainfall do, by the first rows; None where there is none.

    >>> common_value(np.array([0.0, 0.0, 7.1, 0.0])), common_value(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) is None
    (0.0, True)
    """
    head = np.sort(values[:_HEAD_ROWS])
    apart = int(len(head) * _COMMON_FRACTION)
    repeated = np.flatnonzero(head[apart:] == head[: len(head) - apart]) if apart else head[:0]
    return float(head[repeated[0]]) if len(repeated) else None
