"""The statistics, one a file, each a function of counts over the baseline's own cells.

`DISTANCES` are in every report beside the tests; adding a statistic touches its file and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kedge.arrays import Counts
from kedge.statistics.hellinger import hellinger_distance
from kedge.statistics.jensen_shannon import jensen_shannon_distance
from kedge.statistics.kullback_leibler import kullback_leibler_divergence
from kedge.statistics.psi import psi, psi_bias_corrected
from kedge.statistics.total_variation import total_variation_distance

DISTANCES: Mapping[str, Callable[[Counts, Counts], float]] = {
    "psi": psi,
    "psi_bias_corrected": psi_bias_corrected,
    "jensen_shannon_distance": jensen_shannon_distance,
    "kullback_leibler_divergence": kullback_leibler_divergence,
    "total_variation_distance": total_variation_distance,
    "hellinger_distance": hellinger_distance,
}
