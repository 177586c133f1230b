"""evidently's usual report on two files: the data drift preset."""

import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

before, now = (pd.read_parquet(path) for path in sys.argv[1:3])
print(len(Report([DataDriftPreset()]).run(now, before).json()))
