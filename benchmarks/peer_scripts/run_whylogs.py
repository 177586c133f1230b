"""whylogs' usual report on two files: both profiled, then a drift score a column."""

import sys

import pandas as pd
import whylogs
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

before, now = (whylogs.log(pd.read_parquet(path)).view() for path in sys.argv[1:3])
print(len(calculate_drift_scores(target_view=now, reference_view=before, with_thresholds=True)))
