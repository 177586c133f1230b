"""Every statistic that a column's report carries: adding one is its file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kedge.arrays import Counts
from kedge.statistics.chi_square import chi_square
from kedge.statistics.g_test import g_test
from kedge.statistics.hellinger import hellinger_distance
from kedge.statistics.jensen_shannon import jensen_shannon_distance
from kedge.statistics.kolmogorov_smirnov import ks_test
from kedge.statistics.kullback_leibler import kullback_leibler_divergence
from kedge.statistics.psi import psi, psi_bias_corrected
from kedge.statistics.total_variation import total_variation_distance

Test = Callable[[Counts, Counts], tuple[float, float]]

# Of every column, of a numeric one in its ten neighbourhoods.
DISTANCES: Mapping[str, Callable[[Counts, Counts], float]] = {
    "psi": psi,
    "psi_bias_corrected": psi_bias_corrected,
    "jensen_shannon_distance": jensen_shannon_distance,
    "kullback_leibler_divergence": kullback_leibler_divergence,
    "total_variation_distance": total_variation_distance,
    "hellinger_distance": hellinger_distance,
}
# A statistic and its p-value: of numeric columns, over cells in the order of their values | of categorical columns.
TESTS_OF_NUMBERS: Mapping[str, Test] = {"ks": ks_test}
TESTS_OF_LEVELS: Mapping[str, Test] = {"chi_square": chi_square, "g_test": g_test}


def tested(tests: Mapping[str, Test], baseline: Counts, window: Counts) -> dict[str, float]:
    """Each test's statistic and p-value under its name.

    >>> import numpy as np
    >>> sorted(tested(TESTS_OF_NUMBERS, np.array([5, 5]), np.array([2, 8])))
    ['ks_p_value', 'ks_statistic']
    """
    found = {}
    for name, test in tests.items():
        found[f"{name}_statistic"], found[f"{name}_p_value"] = test(baseline, window)
    return found
