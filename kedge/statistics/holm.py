"""Holm's correction: many tests in one run, one promise about false alarms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def holm_adjusted(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values that may each be compared with the level of the whole family.

    Step-down Bonferroni: Holm (1979), Scand. J. Stat. 6, 65. Valid under any dependence between the tests.

    >>> holm_adjusted(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]

    Parameters
    ----------
    p_values : ndarray of float, shape (n_tests,)
        Every test that the run makes.
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty_like(p_values, dtype=np.float64)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
