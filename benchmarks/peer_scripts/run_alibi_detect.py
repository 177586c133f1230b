"""alibi-detect's usual report on two files: TabularDrift over every column, Bonferroni at 0.05."""

import sys

import numpy as np
import pandas as pd
from alibi_detect.cd import TabularDrift

before, now = (pd.read_parquet(path) for path in sys.argv[1:3])
categories = {}
for place, name in enumerate(before.columns):
    if not pd.api.types.is_numeric_dtype(before[name]):
        levels = {level: code for code, level in enumerate(sorted({*before[name], *now[name]}))}
        before[name], now[name] = before[name].map(levels), now[name].map(levels)
        categories[place] = len(levels)
detector = TabularDrift(before.to_numpy(np.float32), p_val=0.05, categories_per_feature=categories)
print(detector.predict(now.to_numpy(np.float32), drift_type="batch")["data"]["is_drift"])
